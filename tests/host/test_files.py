"""files for real: the program under the sanitizers, and a campaign of it natively and in runc."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from primetime.campaign.linux_device import LinuxDevice
from primetime.host.process import Spawning, find_program, run
from primetime.images.file_program import SOURCES, source
from primetime.images.guest import GuestImages
from primetime.workloads.files import PERSONALITIES, PROGRAM, fileset_word, operation_word
from primetime.workloads.personalities import DEFAULTS, personality, small
from tests.host.machine import Standing

LIMIT_S = 300.0
STUDY = """
[limits]
cpus = 1
memory = "384MiB"
[volume]
path = "{path}"
size = "256MiB"
[environments.native]
[environments.runc]
[blocks]
min = 1
max = 1
aa = false
[pace]
settle = "0s"
settle_limit = "0s"
[flash]
precondition = false
[[points]]
workload = "files"
personality = ["fileserver", "varmail"]
memsize = "2MiB"
[[points]]
workload = "filebench"
personality = "varmail"
"""


@pytest.fixture(scope="module", params=["address,undefined", "thread"])
def sanitized(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, built to find its own mistakes."""
    compiler = find_program("gcc")
    if compiler is None:
        pytest.skip("no gcc here: primetime setup installs it")
    directory = tmp_path_factory.mktemp("sanitized")
    for name in SOURCES:
        (directory / name).write_bytes(source(name))
    units = [str(directory / name) for name in SOURCES if name.endswith(".c")]
    strict = ["-std=gnu11", "-g", "-O1", "-Wall", "-Wextra", "-Werror", f"-fsanitize={request.param}"]
    run([compiler, *strict, *units, "-o", str(directory / "files"), "-pthread", "-lm"], timeout_s=LIMIT_S)
    return directory / "files"


@pytest.mark.parametrize("name", PERSONALITIES)
def test_the_program_makes_no_mistake_that_a_sanitizer_sees(sanitized: Path, tmp_path: Path, name: str) -> None:
    # A delete leaves a file alone that another thread holds open, so free files run out: with few files, in a second.
    made = personality(name, {**small(DEFAULTS[name]), "nfiles": 4000, "nthreads": 8})
    sets = [str(tmp_path / "set"), "1", *(fileset_word(one) for one in made.filesets)]
    plain = Spawning(env={"ASAN_OPTIONS": "detect_leaks=0"})  # the paths of a set live as long as the program
    run([str(sanitized), "layout", *sets], timeout_s=LIMIT_S, spawning=plain)
    words = ["threads=8", "memsize=2097152", "runtime=1", *map(operation_word, made.groups[0].loop)]
    done = run([str(sanitized), "run", *sets, *words], timeout_s=LIMIT_S, check=False, spawning=plain)
    assert b"ERROR: AddressSanitizer" not in done.stderr
    assert b"ThreadSanitizer" not in done.stderr
    assert b"runtime error" not in done.stderr
    assert done.returncode == 0, done.stderr.decode()
    assert all(one["count"] for one in json.loads(done.stdout)["operations"])


def test_the_userland_carries_the_program(images: GuestImages) -> None:
    assert images.has(PROGRAM)
    assert run([str(images.userland / PROGRAM.lstrip("/")), "--version"], timeout_s=LIMIT_S).stdout == b"files 1\n"
    assert images.hashes["files"]


def test_the_device_knows_what_is_absent(device: LinuxDevice) -> None:
    assert device.site.absent == frozenset()  # the study of these tests asks for fio alone


def test_a_campaign_of_files_and_of_a_filebench_that_is_not_there(
    images: GuestImages, tmp_path: Path, volume_path: Path, unchanged: Standing
) -> None:
    if images.has("filebench"):
        pytest.skip("this userland has a filebench")
    (tmp_path / "files.toml").write_text(STUDY.format(path=volume_path))
    campaign = tmp_path / "files.sqlite"
    argv = [sys.executable, "-m", "primetime", "run", str(tmp_path / "files.toml"), "--smoke", "-o", str(campaign)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, done.stderr
    with sqlite3.connect(campaign) as sql:
        trials = sql.execute("SELECT environment, workload, status, reason FROM trials").fetchall()
        rates = sql.execute("SELECT value FROM measurements WHERE metric = 'operation_rate'").fetchall()
        syncs = sql.execute("SELECT value FROM measurements WHERE metric = 'fsyncs_per_operation'").fetchall()
    assert sorted((environment, status) for environment, name, status, _ in trials if name == "files") == [
        ("native", "done"), ("native", "done"), ("runc", "done"), ("runc", "done"),
    ]  # fmt: skip
    assert {(status, reason) for _, name, status, reason in trials if name == "filebench"} == {
        ("skipped", "the userland has no filebench: Filebench is not shipped (docs/files.md)")
    }
    assert len(rates) == 4
    assert all(value > 0 for (value,) in rates)
    assert [value for (value,) in syncs] == pytest.approx([2 / 13, 2 / 13], rel=0.05)
