"""The program of the workload `files`: what it lays out, what it counts, and what it refuses."""

from __future__ import annotations

import json
import platform
import subprocess
from pathlib import Path

import pytest

from primetime.images.cache import Cache
from primetime.images.debian import debian_architecture
from primetime.images.file_program import COMPILERS, compiler_for, file_program, prebuilt, source
from primetime.workloads.files import PERSONALITIES, fileset_word, operation_word
from primetime.workloads.personalities import DEFAULTS, personality, small

SET = "fileset=some,200,1000,1.5,10,80,0"
READ = ("op=openfile,open1,some,1,1", "op=readwholefile,read1,-,1,4096", "op=closefile,close1,-,1,1")
MIXED = (
    "op=createfile,create1,some,1,1",
    "op=writewholefile,write1,-,1,4096",
    "op=fsync,fsync1,-,1,1",
    "op=closefile,close1,-,1,1",
    "op=deletefile,delete1,some,0,1",
    "op=statfile,stat1,some,0,1",
)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = file_program(Cache(tmp_path_factory.mktemp("cache")), debian_architecture())
    if found is None:
        pytest.skip("no C compiler with a static library here: primetime setup installs one")
    return found


def run(program: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(program), *words], capture_output=True, text=True, timeout=30, check=False)


def measured(program: Path, directory: Path, *words: str, sets: tuple[str, ...] = (SET,)) -> dict[str, dict[str, int]]:
    """Lay out, run, and return the operations by name."""
    assert run(program, "layout", str(directory), "1", *sets).returncode == 0
    done = run(program, "run", str(directory), "1", *sets, "memsize=65536", "runtime=0.1", *words)
    assert done.returncode == 0, done.stderr
    return {one["name"]: one for one in json.loads(done.stdout)["operations"]}


def described(program: Path, seed: int, word: str) -> dict[str, object]:
    found = json.loads(run(program, "describe", "/nowhere", str(seed), word).stdout)
    one: dict[str, object] = found["filesets"][0]
    return one


def test_the_layout_is_what_was_described(program: Path, tmp_path: Path) -> None:
    wanted = described(program, 7, SET)
    assert run(program, "layout", str(tmp_path / "set"), "7", SET).returncode == 0
    files = [path for path in (tmp_path / "set/some").rglob("*") if path.is_file()]
    directories = [path for path in (tmp_path / "set/some").rglob("*") if path.is_dir()]
    assert len(files) == wanted["exist"]
    assert len(directories) + 1 == wanted["directories"]
    assert 0 < sum(path.stat().st_size for path in files) < int(str(wanted["bytes"]))


def test_equal_seeds_equal_sets_and_others_others(program: Path) -> None:
    assert described(program, 3, SET) == described(program, 3, SET)
    assert described(program, 3, SET) != described(program, 4, SET)


def test_sizes_are_gamma_distributed(program: Path) -> None:
    found = described(program, 1, "fileset=some,200000,131072,1.5,20,100,0")
    quantiles = found["size_quantiles"]
    assert int(str(found["bytes"])) / 200_000 == pytest.approx(131_072, rel=0.01)
    assert isinstance(quantiles, dict)
    chi_square_3 = {"5": 0.351846, "25": 1.212533, "50": 2.365974, "75": 4.108345, "95": 7.814728, "99": 11.344867}
    for percent, quantile in chi_square_3.items():  # gamma 1.5 is half of a chi-square with three degrees of freedom
        assert quantiles[percent] == pytest.approx(131_072 / 1.5 * quantile / 2, rel=0.02), percent
    assert found["exist"] == 200_000


def test_without_gamma_all_files_are_equal(program: Path) -> None:
    found = described(program, 1, "fileset=some,100,4096,0,20,100,0")
    assert set(found["size_quantiles"].values()) == {4096}  # type: ignore[attr-defined]


def test_every_operation_is_counted_with_its_bytes(program: Path, tmp_path: Path) -> None:
    done = measured(program, tmp_path / "set", "threads=2", *MIXED)
    assert done["write1"]["bytes"] > 0
    counts = {name: one["count"] for name, one in done.items()}
    assert counts["create1"] - 2 <= counts["write1"] <= counts["create1"]
    assert abs(counts["fsync1"] - counts["close1"]) <= 2
    for one in done.values():
        latency = one["latency_s"]
        assert latency["min"] <= latency["mean"] <= latency["max"]  # type: ignore[index]


def test_one_thread_reads_what_the_files_hold(program: Path, tmp_path: Path) -> None:
    done = measured(program, tmp_path / "set", "threads=1", *READ, sets=("fileset=some,50,1000,0,10,100,1",))
    assert done["read1"]["bytes"] == done["read1"]["count"] * 1000


@pytest.mark.parametrize("name", PERSONALITIES)
def test_every_personality_runs(program: Path, tmp_path: Path, name: str) -> None:
    values = {**small(DEFAULTS[name]), "nfiles": 300, "iosize": 16384, "meanfilesize": 2048}
    made = personality(name, values)
    words = [operation_word(op) for op in made.groups[0].loop]
    sets = tuple(fileset_word(one) for one in made.filesets)
    done = measured(program, tmp_path / "set", "threads=2", *words, sets=sets)
    assert all(one["count"] for one in done.values())


def test_a_layout_serves_one_run(program: Path, tmp_path: Path) -> None:
    measured(program, tmp_path / "set", "threads=1", *READ)
    again = run(program, "run", str(tmp_path / "set"), "1", SET, "threads=1", "memsize=65536", "runtime=0.1", *READ)
    assert again.returncode == 1
    assert "no unused layout" in again.stderr


def test_a_run_on_another_layout_is_refused(program: Path, tmp_path: Path) -> None:
    assert run(program, "layout", str(tmp_path / "set"), "1", SET).returncode == 0
    other = run(program, "run", str(tmp_path / "set"), "2", SET, "threads=1", "memsize=65536", "runtime=0.1", *READ)
    assert other.returncode == 1
    assert "is another one" in other.stderr


def test_running_out_of_files_gives_no_result(program: Path, tmp_path: Path) -> None:
    assert run(program, "layout", str(tmp_path / "set"), "1", SET).returncode == 0
    create = ("op=createfile,create1,some,1,1", "op=closefile,close1,-,1,1")
    done = run(program, "run", str(tmp_path / "set"), "1", SET, "threads=1", "memsize=65536", "runtime=20", *create)
    assert done.returncode == 1
    assert done.stderr.startswith("files: NO VALID RESULTS: create1 found no free file in some")
    assert done.stdout == ""


def test_a_place_that_cannot_be_written_is_said(program: Path, tmp_path: Path) -> None:
    done = run(program, "layout", "/proc/none", "1", SET)
    assert done.returncode == 1
    assert "mkdir /proc/none" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("run", "/tmp/x"),
        ("layout", "/tmp/x", "one", SET),
        ("layout", "/tmp/x", "1", "fileset=some,10"),
        ("layout", "/tmp/x", "1", "fileset=some,10,1000,1.5,1,80,0"),
        ("run", "/tmp/x", "1", SET, "threads=1", "runtime=1", *READ),
        ("run", "/tmp/x", "1", SET, "threads=0", "memsize=65536", "runtime=1", *READ),
        ("run", "/tmp/x", "1", SET, "threads=1", "memsize=65536", "runtime=1", *READ[1:]),
        ("run", "/tmp/x", "1", SET, "threads=1", "memsize=65536", "runtime=1", *READ[:2]),
        ("run", "/tmp/x", "1", SET, "threads=1", "memsize=65536", "runtime=1", "op=format,f1,some,1,1"),
        ("run", "/tmp/x", "1", SET, "threads=1", "memsize=65536", "runtime=1", "op=statfile,s1,other,1,1"),
        ("run", "/tmp/x", "1", SET, "thread=1"),
    ],
)
def test_wrong_words(program: Path, words: tuple[str, ...]) -> None:
    done = run(program, *words)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("files: ")


def test_a_second_build_is_the_same_entry(program: Path) -> None:
    cache = Cache(program.parents[1])
    assert file_program(cache, debian_architecture()) == program


def test_what_a_bundle_brings_and_what_compiles() -> None:
    assert prebuilt(debian_architecture()) is None  # a checkout brings none
    assert source("files.c").startswith(b"/*")
    assert set(COMPILERS) == {debian_architecture(name) for name in ("x86_64", "aarch64")}
    other = next(name for name in COMPILERS if name != debian_architecture(platform.machine()))
    assert compiler_for(other) is None or compiler_for(other).endswith(COMPILERS[other])  # type: ignore[union-attr]
