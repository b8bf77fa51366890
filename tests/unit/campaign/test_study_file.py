"""Study files: what they may say, and one clear sentence for everything that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from primetime.campaign.study_file import load_study, shipped
from primetime.errors import UserError

GOOD = """
title = "good"
[environments.native]
[environments.boxed]
kind = "runc"
storage = "bind"
[[points]]
workload = "fio"
rw = ["randread", "randwrite"]
bs = ["4KiB", "64KiB"]
[[points]]
workload = "netperf"
name = "small-requests"
test = "rr"
"""


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "my.toml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("name", shipped())
def test_shipped_studies_load(name: str) -> None:
    assert load_study(name).name == name


def test_lists_are_crossed_and_named(tmp_path: Path) -> None:
    study = load_study(written(tmp_path, GOOD))
    assert [point.name for point in study.points] == [
        "fio-randread-4KiB",
        "fio-randread-64KiB",
        "fio-randwrite-4KiB",
        "fio-randwrite-64KiB",
        "small-requests",
    ]
    assert study.points[1].params["bs"] == 65536
    assert [(spec.label, spec.kind) for spec in study.environments] == [("native", "native"), ("boxed", "runc")]
    assert study.baseline == "native"
    assert study.stopping.min_blocks == 10


def test_what_has_no_effect_is_not_in_a_name(tmp_path: Path) -> None:
    text = '[environments.native]\n[[points]]\nworkload = "fio"\nrw = ["randread", "randwrite"]\nfsync = 8\n'
    study = load_study(written(tmp_path, text))
    assert [point.name for point in study.points] == ["fio-randread", "fio-randwrite-fsync8"]


def test_quick_is_small() -> None:
    study = load_study("quick")
    assert len(study.points) <= 4
    assert study.stopping.max_blocks == 5
    assert {spec.kind for spec in study.environments} == {"native", "runc", "gvisor", "qemu"}


POINT = '[[points]]\nworkload = "fio"\n'
NATIVE = "[environments.native]\n"
FILES = NATIVE + '[[points]]\nworkload = "files"\npersonality = "fileserver"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("title = ", "Invalid value"),
        (POINT, "environments: a study needs at least one environment"),
        (NATIVE, "points: a study needs at least one point"),
        ("titel = 'x'\n" + NATIVE + POINT, "titel: unknown key"),
        (NATIVE + POINT + "[limits]\nmemory = '1 potato'", "limits.memory: must be a size"),
        (NATIVE + POINT + "[limits]\nmemory = '1MiB'", "limits.memory: must be a size of at least 128 MiB"),
        (NATIVE + POINT + "[limits]\ncpus = 'two'", "limits.cpus: must be a whole number"),
        (NATIVE + POINT + "[limits]\nmemroy = '1GiB'", "limits.memroy: unknown key"),
        (NATIVE + POINT + "[pace]\nsettle = 3", "pace.settle: must be a duration"),
        (NATIVE + POINT + "[pace]\nsettle = '31s'", "pace.settle: 31 s are longer than pace.settle_limit = 30 s"),
        (NATIVE + POINT + "[blocks]\nbudget = '0s'", "blocks.budget: leaves no time for any block"),
        (NATIVE + POINT + "[exclude]\nbusy = 2", "exclude.busy: is a share of all CPUs, at most 1, not 2"),
        (NATIVE + "[[points]]\nworkload = 'ladder'\nlevel = 500", "level is per cent of every CPU, not 500"),
        (NATIVE + "read_limit = -1\n" + POINT, "read_limit cannot be negative"),
        (NATIVE + POINT + "[blocks]\nmin = 9\nmax = 3", "blocks.max: 3 is less than blocks.min = 9"),
        (NATIVE + POINT + "[volume]\nmode = 'ram'", "volume.mode: cannot be 'ram'"),
        (NATIVE + POINT + "[volume]\npath = 'here'", "volume.path: 'here' is not an absolute path"),
        (NATIVE + POINT + "[margins]\nrate = 2", "margins.rate: a margin lies between 0 and 1"),
        (NATIVE + POINT + "[tuning]\nmagic = true", "tuning.magic: there is no such knob"),
        (NATIVE + POINT + "[cpu]\nenvironment = [1, 1]", "cpu.environment: must be a list of different CPU numbers"),
        (NATIVE + POINT + "size = '2GiB'", "volume.size"),
        (
            FILES + "[limits]\nmemory = '512MiB'",
            "limits.memory: 512 MiB do not hold 500 MiB that the threads of files-",
        ),
        ("baseline = 'qemu'\n" + NATIVE + POINT, "baseline: 'qemu' is not one of the environments"),
        ("[environments.xen]\n" + POINT, "unknown environment kind 'xen'"),
        ("[environments.'a b']\n" + POINT, "a label may hold"),
        ("[environments.'../../etc']\n" + POINT, "a label may hold"),
        ("[environments.runc]\nstorage = 'ram'\n" + POINT, "storage cannot be 'ram'"),
        (NATIVE + POINT + POINT, "two points are called"),
        (NATIVE + POINT + POINT + "name = 'other'", "are the same point"),
        (NATIVE + POINT + "bs = []", "points[1].bs: is an empty list"),
        (NATIVE + POINT + "name = 'x'\nbs = ['4KiB', '8KiB']", "one name cannot serve 2 points"),
        (NATIVE + POINT + "name = '<script>'", "is no name"),
        (NATIVE + "[[points]]\nworkload = 'fioo'", "unknown workload 'fioo'"),
        ("[environment.native]\n" + POINT, "environment: unknown key"),
        ("points = 3\n" + NATIVE, "points: must be a list of tables"),
        ("environments = 3\n" + POINT, "environments must be a table"),
    ],
)
def test_mistakes_name_file_key_and_a_way_out(tmp_path: Path, text: str, words: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UserError) as caught:
        load_study(path)
    assert words in caught.value.message
    assert caught.value.message.startswith(path)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("points = [3]\n" + NATIVE, "write [[points]]"),
        ("limits = 3\n" + NATIVE + POINT, "write [limits]"),
        (NATIVE + POINT + "name = 3", 'write name = "WORD"'),
    ],
)
def test_what_a_hint_says_to_write_can_be_written(tmp_path: Path, text: str, hint: str) -> None:
    with pytest.raises(UserError) as caught:
        load_study(written(tmp_path, text))
    assert caught.value.hint == hint


def test_unknown_name_lists_the_shipped_ones() -> None:
    with pytest.raises(UserError, match="there is no study 'quik'") as caught:
        load_study("quik")
    assert "quick" in caught.value.hint


def test_binary_file_is_a_user_error(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="cannot be read"):
        load_study(str(path))


def test_what_a_study_did_not_say_is_no_mistake_of_its(tmp_path: Path) -> None:
    study = load_study(written(tmp_path, NATIVE + POINT + "[pace]\nsettle_limit = '0s'\n[exclude]\nbusy = 1\n"))
    assert (study.pace.settle_limit_s, study.exclude) == (0.0, {"busy": 1.0})
