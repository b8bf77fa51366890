"""Filebench's personalities as data, and what is said of them to the two programs."""

from __future__ import annotations

import pytest

from primetime.errors import UserError
from primetime.workloads.files import PERSONALITIES, fileset_word, operation_word
from primetime.workloads.personalities import DEFAULTS, check_variables, personality, small, with_defaults
from primetime.workloads.personality_language import script

OPENS, CLOSES = ("createfile", "openfile"), ("closefile",)


@pytest.mark.parametrize("name", DEFAULTS)
def test_every_personality_can_be_said_in_filebenchs_language(name: str) -> None:
    described = personality(name, DEFAULTS[name])
    text = script(described, "/data", 60)
    assert text.endswith("run 60\n")
    assert text.count("{") == text.count("}") == 2 * len(described.groups)
    for one in described.filesets:
        assert f"define fileset name={one.name},path=/data," in text
    names = [op.name for group in described.groups for op in group.loop]
    assert len(set(names)) == len(names)


def test_a_whole_script() -> None:
    values = {**DEFAULTS["webproxy"], "nfiles": 10, "nthreads": 2}
    lines = script(personality("webproxy", values), "/data", 5).splitlines()
    assert lines[:4] == [
        "define fileset name=bigfileset,path=/data,size=16384,entries=10,dirwidth=1000000,prealloc=80",
        "define process name=worker,instances=1 {",
        "  thread name=workerthread,memsize=10485760,instances=2 {",
        "    flowop deletefile name=delete1,filesetname=bigfileset",
    ]
    assert lines[5] == "    flowop appendfilerand name=append1,fd=1,iosize=16384"
    assert lines[-3:] == ["  }", "}", "run 5"]


def test_sizes_that_vary_come_from_the_gamma_library_and_a_flag_is_a_word_alone() -> None:
    text = script(personality("webserver", DEFAULTS["webserver"]), "/data", 5)
    assert "set $bigfilesetsize=cvar(type=cvar-gamma,parameters=mean:16384;gamma:1.5)\n" in text
    assert "size=$bigfilesetsize,entries=1000,dirwidth=20,prealloc=100,readonly\n" in text
    assert text.count("readwholefile") == 10


@pytest.mark.parametrize("name", PERSONALITIES)
def test_loops_that_our_program_runs_close_what_they_open(name: str) -> None:
    described = personality(name, DEFAULTS[name])
    kinds = [op.kind for group in described.groups for op in group.loop]
    assert sum(kind in OPENS for kind in kinds) == sum(kind in CLOSES for kind in kinds)
    assert len(described.groups) == 1


def test_the_words_of_our_program() -> None:
    described = personality("varmail", DEFAULTS["varmail"])
    assert fileset_word(described.filesets[0]) == "fileset=bigfileset,1000,16384,1.5,1000000,80,0"
    words = [operation_word(op) for op in described.groups[0].loop]
    assert words[0] == "op=deletefile,delete1,bigfileset,0,1"
    assert words[2] == "op=appendfilerand,append_new,-,1,16384"
    assert sum(word.startswith("op=fsync,") for word in words) == 2


def test_what_a_personality_says_of_itself() -> None:
    described = {name: personality(name, DEFAULTS[name]) for name in DEFAULTS}
    assert described["fileserver"].prepared_bytes() == 10_000 * 128 * 1024 * 8 // 10
    assert {name for name, one in described.items() if one.syncs()} == {"varmail", "oltp"}
    assert all(one.writes() for one in described.values())


def test_the_study_overrides_the_personality_which_overrides_nothing_else() -> None:
    params = with_defaults("varmail", {"nthreads": 3}, {"nthreads": 3, "nfiles": 10_000, "runtime": 1.0})
    assert (params["nthreads"], params["nfiles"], params["runtime"]) == (3, 1000, 1.0)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"prealloc": 101}, "percentage"),
        ({"memsize": 2**20}, "needs more than 1MiB"),
        ({"meanappendsize": 2**30}, "1GiB"),
    ],
)
def test_values_that_cannot_go_together(changed: dict[str, int], words: str) -> None:
    with pytest.raises(UserError) as caught:
        check_variables("points[1]", {**DEFAULTS["varmail"], **changed})
    assert words in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_smoke_trial_is_small(name: str) -> None:
    described = personality(name, small(DEFAULTS[name]))
    assert described.prepared_bytes() < 64 * 2**20
