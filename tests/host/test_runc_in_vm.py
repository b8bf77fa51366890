"""runc inside a QEMU guest really runs here, emulated."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from primetime.campaign.device import BootStart
from primetime.campaign.linux_device import LinuxDevice, Opening
from primetime.campaign.opening import open_device
from primetime.campaign.study_file import load_study
from primetime.environments import environment
from primetime.errors import CommandTimeout
from primetime.host.lock import device_lock
from primetime.host.undo import open_ledger
from primetime.images.guest import GuestImages
from primetime.model import Command, EnvironmentSpec, Step, Where
from tests.host.machine import Standing

NUMBER = 61900
CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], 12865), 20).close()"
STUDY = """
[limits]
cpus = 1
memory = "320MiB"
[volume]
path = "{path}"
size = "64MiB"
[environments.runc-in-vm]
[[points]]
workload = "idle"
duration = "1s"
"""


@pytest.fixture
def opened(tmp_path: Path, volume_path: Path, images: GuestImages) -> Iterator[LinuxDevice]:
    path = tmp_path / "nested.toml"
    path.write_text(STUDY.format(path=volume_path))
    study = load_study(str(path))
    ledger = open_ledger()
    with device_lock("tests"):
        ledger.replay()
        members = tuple(environment(spec) for spec in study.environments)
        with open_device(Opening(study, images, members, ledger)) as device:
            yield device


def test_a_container_runs_in_a_guest(unchanged: Standing, opened: LinuxDevice) -> None:
    member = environment(EnvironmentSpec("nested", "runc-in-vm"))
    server = Step(Where.PEER, ("netserver", "-D", "-4"), "netserver", 60)
    with opened.boot(member, BootStart(NUMBER, emulated=True)) as instance, opened.serve_on_peer(server):
        instance.equalise()
        facts = {fact.name: fact.value for fact in (*instance.prove_limits(), *instance.touch_memory())}
        assert facts["limits.cpus_inside"] == 1
        assert int(facts["limits.memory_inside"] or 0) < 320 << 20
        assert facts["guest.vda.write_cache"]
        instance.put("/data/file", b"put")
        assert instance.get("/data/file") == b"put"
        root = instance.run(Command(("stat", "--file-system", "--format=%T", "/"), 60))
        assert root.stdout == b"overlayfs\n"
        mine = instance.run(Command(("sh", "-c", "cat /proc/1/comm; grep Seccomp: /proc/1/status; echo $WORD"), 60,
                                    env={"WORD": "variable"}))  # fmt: skip
        assert mine.stdout.split() == [b"sleep", b"Seccomp:", b"2", b"variable"]
        with pytest.raises(CommandTimeout):
            instance.run(Command(("sleep", "61.9"), 1.0))
        reached = instance.run(Command(("python3", "-c", CONNECT, opened.site.peer), 60))
        assert reached.returncode == 0, reached.stderr
        instance.sync()
        instance.drop_caches()
        assert instance.cached_bytes() > 0
    assert member.usable().versions["runc"][0].isdigit()
