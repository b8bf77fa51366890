"""A Docker daemon of the tests' own: its data, state and socket in one directory, and nothing left afterwards."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from primetime.host.cgroup import cgroup_mounts, remove_tree
from primetime.host.mounts import mounts_below
from primetime.host.process import Spawning, find_program, run, spawn
from primetime.host.undo import unmount

LIMIT_S = 60.0
BRIDGE = "docker0"
SHIMS = Path("/run/containerd/s")
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
NEEDED = ("dockerd", "docker", "containerd", "runc", "iptables", "nft")


def unusable() -> str:
    """Why no daemon of ours can be started here; "" when it can."""
    absent = [name for name in NEEDED if find_program(name) is None]
    if absent:
        return f"not installed: {', '.join(absent)} (apt-get install docker.io iptables nftables)"
    return f"there is a {BRIDGE} already: a daemon runs here" if Path("/sys/class/net", BRIDGE).exists() else ""


def tables() -> set[str]:
    """The nftables that iptables and others made, as "family name"."""
    lines = run(["nft", "list", "tables"], timeout_s=20).stdout.decode().splitlines()
    return {line.removeprefix("table ") for line in lines}


@contextmanager
def docker_daemon(directory: Path) -> Iterator[Path]:
    """Start dockerd and yield its socket. `directory`: on a disk, since overlay2 wants one."""
    before, forwarding, shims = tables(), FORWARDING.read_text(), SHIMS.parent.exists()
    directory.mkdir(parents=True)
    SHIMS.mkdir(parents=True, exist_ok=True)  # the engine's shims would, and it stays as long as the engine
    socket = directory / "docker.sock"
    argv = ["dockerd", "--host", f"unix://{socket}", "--data-root", str(directory / "data"), "--exec-root",
            str(directory / "exec"), "--pidfile", str(directory / "pid")]  # fmt: skip
    try:
        with (directory / "log").open("wb") as log:
            how = Spawning(stdout=log, stderr=log)
            with spawn(argv, how) as process:
                deadline = time.monotonic() + LIMIT_S
                while not answers(socket):
                    assert process.poll() is None, (directory / "log").read_text()
                    assert time.monotonic() < deadline, (directory / "log").read_text()
                    time.sleep(0.1)
                yield socket
    finally:
        clean(directory, before)
        FORWARDING.write_text(forwarding)
        if not shims:
            shutil.rmtree(SHIMS.parent, ignore_errors=True)


def answers(socket: Path) -> bool:
    """Whether the daemon serves."""
    argv = ["docker", "--host", f"unix://{socket}", "version"]
    return run(argv, timeout_s=20, check=False).returncode == 0


def clean(directory: Path, before: set[str]) -> None:
    """Remove what dockerd leaves: its bridge, its rules, its cgroups, its mounts and its files."""
    if Path("/sys/class/net", BRIDGE).exists():
        run(["ip", "link", "delete", BRIDGE], timeout_s=20)
    for table in sorted(tables() - before):
        run(["nft", "delete", "table", *table.split()], timeout_s=20)
    for mount in cgroup_mounts():
        remove_tree(mount / "docker")
    for mount in mounts_below(directory):
        unmount(mount)
    shutil.rmtree(directory)
