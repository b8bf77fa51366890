"""What primetime could leave behind on a machine, as one value to compare."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from primetime.host.cgroup import read_hierarchy
from primetime.host.process import find_program, run

SYSCTLS = (
    "net/ipv4/ip_forward",
    "vm/dirty_bytes",
    "vm/dirty_background_bytes",
    "vm/swappiness",
    "kernel/randomize_va_space",
)
EXIT_LIMIT_S = 20.0
OURS = ("/run/primetime/b", "/run/primetime/peer")


@dataclass(frozen=True)
class Standing:
    """Everything that must be as before."""

    namespaces: frozenset[str]
    links: frozenset[str]
    mounts: tuple[str, ...]
    loops: str
    cgroups: frozenset[str]
    sysctls: tuple[str, ...]
    tables: str
    processes: frozenset[str]
    ledger: frozenset[str]
    shims: frozenset[str]


def standing() -> Standing:
    """How this machine stands now."""
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    roots = set(read_hierarchy().roots.values())
    return Standing(
        namespaces=names(Path("/run/netns")),
        links=names(Path("/sys/class/net")),
        mounts=tuple(sorted(mounts)),
        loops=run(["losetup", "--list", "--noheadings"], timeout_s=20).stdout.decode(),
        cgroups=frozenset(str(path) for root in roots for path in root.glob("primetime")),
        sysctls=tuple(Path("/proc/sys", name).read_text() for name in SYSCTLS),
        tables=run(["nft", "list", "tables"], timeout_s=20).stdout.decode() if find_program("nft") else "",
        processes=frozenset(our_processes()),
        ledger=names(Path("/run/primetime/ledger")),
        shims=names(Path("/run/containerd")) | names(Path("/run/containerd/s")),
    )


def names(directory: Path) -> frozenset[str]:
    """The names in a directory that may not exist."""
    return frozenset(path.name for path in directory.iterdir()) if directory.is_dir() else frozenset()


def our_processes() -> list[str]:
    """Processes of a campaign: in a cgroup of ours, or with a path of ours on their command line.

    A killed one that is still giving back its mounts and memory has no command line any more: it gets time for that.
    """
    deadline = time.monotonic() + EXIT_LIMIT_S
    while True:
        found = look()
        if all(words for _, words in found) or time.monotonic() > deadline:
            return [f"{pid} {words}" for pid, words in found]
        time.sleep(0.02)


def look() -> list[tuple[str, str]]:
    """Number and first words of every such process now."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            groups = (directory / "cgroup").read_text()
            words = (directory / "cmdline").read_text().split("\0")
            state = (directory / "stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if state in "ZX":  # ended: an orphan's exit code waits for init, and holds nothing else
            continue
        if "/primetime/" in groups or any(word.startswith(OURS) for word in words):
            found.append((directory.name, " ".join(words[:6]).strip()))
    return found
