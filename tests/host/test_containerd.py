"""A container under a private containerd really runs here, inside its limits, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from primetime.campaign.device import BootStart
from primetime.campaign.linux_device import LinuxDevice, Opening
from primetime.campaign.opening import open_device
from primetime.campaign.study_file import load_study
from primetime.environments import environment
from primetime.environments.base import Environment
from primetime.environments.containerd_runc import missing_containerd
from primetime.errors import BootFailed, CommandTimeout
from primetime.host.lock import device_lock
from primetime.host.process import find_program
from primetime.host.undo import open_ledger
from primetime.images.guest import GuestImages
from primetime.model import Command, EnvironmentSpec, Step, Where
from tests.host.machine import Standing

NUMBER = 61700
PROGRAMS = ("containerd", "ctr", "containerd-shim-runc-v2", "runc")
ABSENT = [name for name in PROGRAMS if find_program(name) is None]
pytestmark = pytest.mark.skipif(bool(ABSENT), reason=f"not installed: {', '.join(ABSENT)} (apt-get install containerd)")
CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], 12865), 20).close()"
STUDY = """
[limits]
cpus = 1
memory = "256MiB"
[volume]
path = "{path}"
size = "64MiB"
[environments.containerd-runc]
[[points]]
workload = "idle"
duration = "60s"
[blocks]
min = 1
max = 1
[pace]
settle = "0s"
settle_limit = "0s"
"""


@pytest.fixture
def study(tmp_path: Path, volume_path: Path) -> Path:
    path = tmp_path / "contained.toml"
    path.write_text(STUDY.format(path=volume_path))
    return path


@pytest.fixture
def opened(study: Path, images: GuestImages) -> Iterator[LinuxDevice]:
    loaded = load_study(str(study))
    ledger = open_ledger()
    with device_lock("tests"):
        ledger.replay()
        members = tuple(environment(spec) for spec in loaded.environments)
        with open_device(Opening(loaded, images, members, ledger)) as device:
            yield device


def contained(**settings: str | int) -> Environment:
    return environment(EnvironmentSpec("contained", "containerd-runc", settings))


def test_it_boots_inside_its_limits_and_leaves_nothing(
    unchanged: Standing, opened: LinuxDevice, volume_path: Path
) -> None:
    server = Step(Where.PEER, ("netserver", "-D", "-4"), "netserver", 60)
    with opened.boot(contained(), BootStart(NUMBER)) as instance, opened.serve_on_peer(server):
        assert instance.ready_at > instance.started_at
        facts = {fact.name: fact.value for fact in instance.prove_limits()}
        assert facts["limits.cpus_inside"] == 1
        assert facts["containerd.snapshotter"] == "overlayfs"
        hello = instance.run(Command(("sh", "-c", "cat > /data/hello; cat /data/hello; exit 7"), 60, b"bytes \x00\xff"))
        assert (hello.returncode, hello.stdout) == (7, b"bytes \x00\xff")
        instance.put("/data/file", b"put")
        assert instance.get("/data/file") == b"put"
        assert list(volume_path.rglob("snapshots/*/fs/data/file")), "the upper directory is not on the volume"
        said = instance.run(Command(("sh", "-c", "echo $WORD"), 60, env={"WORD": "variable"}))
        assert said.stdout == b"variable\n"
        with pytest.raises(CommandTimeout):
            instance.run(Command(("sleep", "61.7"), 1.0))
        assert b"sleep 61.7" not in instance.run(Command(("ps", "-eo", "args"), 60)).stdout
        filtered = instance.run(Command(("grep", "Seccomp:", "/proc/self/status"), 60))
        assert filtered.stdout.split() == [b"Seccomp:", b"2"]
        reached = instance.run(Command(("python3", "-c", CONNECT, opened.site.peer), 60))
        assert reached.returncode == 0, reached.stderr
        assert opened.footprint_bytes(instance.footprint()) > 0


def test_a_bind_mount_goes_to_the_volume_itself(unchanged: Standing, opened: LinuxDevice, volume_path: Path) -> None:
    with opened.boot(contained(storage="bind"), BootStart(NUMBER + 1)) as instance:
        instance.put("/data/file", b"put")
        assert [path.parent.name for path in volume_path.rglob("file")] == ["data"]
        assert b"overlay" not in instance.run(Command(("stat", "--file-system", "/data"), 60)).stdout


def test_devmapper_is_refused_with_a_reason_where_there_is_none(opened: LinuxDevice) -> None:
    found = missing_containerd("containerd-runc", PROGRAMS, "devmapper")
    if found is None:
        pytest.skip("this kernel has a device mapper: tests/lab covers it")
    assert "device mapper" in found.reason or "dmsetup" in found.reason
    assert found.remedy
    with (
        pytest.raises(BootFailed, match="thin pool"),
        opened.boot(contained(snapshotter="devmapper"), BootStart(NUMBER + 2)),
    ):
        pass


def test_kill_9_leaves_what_clean_removes(unchanged: Standing, study: Path, tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "primetime", "run", str(study), "-o", str(tmp_path / "c.sqlite")]
    with (tmp_path / "words").open("wb") as words:
        run = subprocess.Popen(argv, stderr=words)
    deadline = time.monotonic() + 60
    while not list(Path("/run/primetime").glob("b[0-9]/console")):
        assert run.poll() is None, (tmp_path / "words").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(1.0)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    assert list(Path("/run/containerd/s").iterdir())
    cleaned = subprocess.run([sys.executable, "-m", "primetime", "clean"], capture_output=True, timeout=60, check=False)
    assert cleaned.returncode == 0, cleaned.stderr.decode()
