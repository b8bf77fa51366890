"""Control groups, version 1, hybrid and 2, behind one small class.

A Cgroup has one name; under version 1 (and hybrid) it is a directory of that name in each controller's
hierarchy, under version 2 one directory. Sizes are bytes, times seconds.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from primetime.errors import UndoFailed, UserError
from primetime.host.mounts import Mount, read_mounts
from primetime.host.process import Placement

PARENT = "primetime"  # every cgroup of ours lies below it
CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "pids")
REMOVE_LIMIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """Where each controller is mounted. Version 2 has the same root for all."""

    version: int
    roots: Mapping[str, Path]


def find_hierarchy(mounts: Iterable[Mount], unified_controllers: Mapping[Path, str]) -> Hierarchy:
    """Find it among the mounts; `unified_controllers` is cgroup.controllers by cgroup2 mount point.

    A host counts as version 2 only when the memory controller is there: the hybrid layout mounts an
    empty cgroup2 beside version 1.
    """
    roots: dict[str, Path] = {}
    unified: Path | None = None
    for mount in mounts:
        if mount.kind == "cgroup2":
            unified = mount.path
        elif mount.kind == "cgroup":
            options = mount.super_options.split(",")
            roots.update({name: mount.path for name in CONTROLLERS if name in options})
    if unified is not None and "memory" in unified_controllers.get(unified, "").split():
        return Hierarchy(2, dict.fromkeys(CONTROLLERS, unified))
    return Hierarchy(1, roots)


def read_hierarchy() -> Hierarchy:
    """Read this host's hierarchy. UserError when there is no memory controller."""
    mounts = read_mounts()
    unified = [mount.path for mount in mounts if mount.kind == "cgroup2"]
    controllers = {
        path: (path / "cgroup.controllers").read_text(encoding="utf-8")
        for path in unified
        if (path / "cgroup.controllers").exists()
    }
    hierarchy = find_hierarchy(mounts, controllers)
    lacking = [name for name in ("memory", "cpuset") if name not in hierarchy.roots]
    if lacking:
        raise UserError(
            f"this kernel has no {' and no '.join(lacking)} cgroup controller, so limits cannot be kept",
            "add cgroup_enable=memory cgroup_memory=1 to the kernel command line (Raspberry Pi OS) and reboot",
        )
    return hierarchy


class Cgroup:
    """A control group by name, relative to each controller's root ("primetime/b7")."""

    def __init__(self, name: str, hierarchy: Hierarchy | None = None) -> None:
        self.name = name
        self.hierarchy = hierarchy or read_hierarchy()

    def directories(self) -> list[Path]:
        """Its directories, one per mounted hierarchy."""
        return sorted({root / self.name for root in self.hierarchy.roots.values()})

    def file(self, controller: str, filename: str) -> Path:
        """Path of one control file ("memory", "memory.stat")."""
        return self.hierarchy.roots[controller] / self.name / filename

    def create(self) -> None:
        """Make it, and its parents, with all controllers of ours usable in it."""
        parts = Path(self.name).parts
        for depth in range(1, len(parts) + 1):
            name = "/".join(parts[:depth])
            if self.hierarchy.version == 2:
                self._enable_controllers(self.hierarchy.roots["memory"] / Path(*parts[: depth - 1]))
            for root in set(self.hierarchy.roots.values()):
                (root / name).mkdir(exist_ok=True)
            if self.hierarchy.version == 1:
                self._inherit_cpuset(self.hierarchy.roots["cpuset"] / name)

    def delegate(self) -> None:
        """Let children have the controllers (version 2 wants this said; no process may be in it then)."""
        if self.hierarchy.version == 2:
            self._enable_controllers(self.hierarchy.roots["memory"] / self.name)

    def _enable_controllers(self, directory: Path) -> None:
        wanted = set(CONTROLLERS) & set((directory / "cgroup.controllers").read_text(encoding="utf-8").split())
        enabled = set((directory / "cgroup.subtree_control").read_text(encoding="utf-8").split())
        for controller in sorted(wanted - enabled):
            (directory / "cgroup.subtree_control").write_text(f"+{controller}", encoding="utf-8")

    def _inherit_cpuset(self, directory: Path) -> None:
        for filename in ("cpuset.cpus", "cpuset.mems"):  # empty sets refuse every process
            if not (directory / filename).read_text(encoding="utf-8").strip():
                inherited = (directory.parent / filename).read_text(encoding="utf-8")
                (directory / filename).write_text(inherited, encoding="utf-8")

    def set_cpus(self, cpus: Iterable[int]) -> None:
        """Confine it to these CPUs."""
        self.file("cpuset", "cpuset.cpus").write_text(",".join(str(cpu) for cpu in sorted(cpus)), encoding="utf-8")

    def cpus(self) -> frozenset[int]:
        """The CPUs that it may really use."""
        name = "cpuset.cpus.effective" if self.hierarchy.version == 2 else "cpuset.effective_cpus"
        return parse_cpus(self.file("cpuset", name).read_text(encoding="utf-8"))

    def set_memory(self, limit: int) -> None:
        """Limit memory (anonymous and page cache) to `limit` bytes."""
        self.file("memory", self._memory_file("max")).write_text(str(limit), encoding="utf-8")

    def memory(self) -> dict[str, int]:
        """Bytes: current, limit, anon, file, dirty, writeback. An unlimited group says the largest integer."""
        limit = self.file("memory", self._memory_file("max")).read_text(encoding="utf-8").strip()
        stat = dict(
            line.split() for line in self.file("memory", "memory.stat").read_text(encoding="utf-8").splitlines()
        )
        old = self.hierarchy.version == 1
        names = {
            "anon": "total_rss" if old else "anon",
            "file": "total_cache" if old else "file",
            "dirty": "total_dirty" if old else "file_dirty",
            "writeback": "total_writeback" if old else "file_writeback",
        }
        current = int(self.file("memory", self._memory_file("current")).read_text(encoding="utf-8"))
        return {
            "current": current,
            "limit": 2**63 - 1 if limit == "max" else int(limit),
            **{ours: int(stat.get(theirs, 0)) for ours, theirs in names.items()},
        }

    def memory_kills(self) -> int:
        """How many of its processes the kernel has killed because its memory limit was reached. 0 when it is gone.

        Version 2 counts those of groups below it, too; version 1 each group's own, so that those are added.
        """
        if self.hierarchy.version == 2:
            return oom_kills(self.file("memory", "memory.events"))
        own = self.file("memory", "memory.oom_control")
        return oom_kills(own) + sum(map(oom_kills, own.parent.glob("*/**/memory.oom_control")))

    def _memory_file(self, what: str) -> str:
        if self.hierarchy.version == 2:
            return f"memory.{what}"
        return {"max": "memory.limit_in_bytes", "current": "memory.usage_in_bytes"}[what]

    @contextmanager
    def placement(self, cpus: Iterable[int] = ()) -> Iterator[Placement]:
        """Yield what starts a child in this group."""
        with ExitStack() as stack:
            descriptors = []
            for directory in self.directories():
                descriptor = os.open(directory / "cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)
                stack.callback(os.close, descriptor)
                descriptors.append(descriptor)
            yield Placement(tuple(descriptors), frozenset(cpus))

    def pids(self) -> frozenset[int]:
        """All processes in it and below."""
        found: set[int] = set()
        for directory in self.directories():
            for procs in directory.rglob("cgroup.procs"):
                try:
                    found.update(int(pid) for pid in procs.read_text(encoding="ascii").split())
                except FileNotFoundError:
                    continue  # a child group that just went away
                except OSError:
                    continue  # a threaded group of version 2 lists its processes in its parent
        return frozenset(found)

    def remove(self) -> None:
        """Kill every process in it and below, and remove it. Nothing happens when it is not there."""
        deadline = time.monotonic() + REMOVE_LIMIT_S
        while any(directory.exists() for directory in self.directories()):
            for pid in self.pids():
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            for directory in self.directories():
                remove_tree(directory)
            if time.monotonic() > deadline:
                raise UndoFailed(f"cgroup {self.name} still has processes {sorted(self.pids())}")
            time.sleep(0.01)


def oom_kills(path: Path) -> int:
    """The count in memory.events or memory.oom_control; 0 where the group is gone, or a kernel before 4.13 has none."""
    try:
        rows = [line.split() for line in path.read_text(encoding="ascii").splitlines()]
    except OSError:
        return 0
    return next((int(row[1]) for row in rows if row[:1] == ["oom_kill"]), 0)


def remove_tree(directory: Path) -> None:
    """Remove a cgroup directory and its children as far as they are empty."""
    if not directory.is_dir():
        return
    below = sorted((path for path in directory.rglob("*") if path.is_dir()), reverse=True)
    for path in [*below, directory]:
        try:
            path.rmdir()
        except OSError:
            return  # still busy: the caller kills and tries again


def cgroup_mounts() -> list[Path]:
    """Where any hierarchy is mounted, also those whose controllers are not ours."""
    return [mount.path for mount in read_mounts() if mount.kind in ("cgroup", "cgroup2")]


def parse_cpus(text: str) -> frozenset[int]:
    """Parse a kernel CPU list ("0-2,5")."""
    cpus: set[int] = set()
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        if first:
            cpus.update(range(int(first), int(last or first) + 1))
    return frozenset(cpus)
