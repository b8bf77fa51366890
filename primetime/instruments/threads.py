"""Every thread of the footprint: CPU time in nanosecond steps, user and system ticks, from /proc/PID/task.

Threads come and go: the list is read anew at every sample, descriptors of threads that stay are kept.
A channel is `<process>.<tid>.<kind>`; it is absent where the thread does not exist.
"""

from __future__ import annotations

from pathlib import Path

from primetime.host.cgroup import Cgroup
from primetime.instruments.base import CLOCK_TICK_S, Instrument, KeptFile, Raw, Reading, read_or_empty
from primetime.model import Channel, Footprint

UNIT = "CPU s"
USER_FIELD, SYSTEM_FIELD = 11, 12  # of /proc/PID/stat behind the command's closing bracket


class Threads(Instrument):
    """Processes of the footprint's cgroups, its other processes and its kernel threads."""

    name = "threads"
    hz = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.groups: tuple[Cgroup, ...] = ()
        self.others: tuple[int, ...] = ()
        self.kept: dict[int, tuple[KeptFile, KeptFile | None]] = {}

    def open(self, footprint: Footprint) -> None:
        self.groups = tuple(Cgroup(name) for name in footprint.cgroups)
        self.others = (*footprint.pids, *footprint.kernel_threads)

    def read(self) -> Raw:
        found = self.thread_ids()
        for tid in self.kept.keys() - found.keys():
            self.drop(tid)
        for tid, pid in found.items():
            if tid not in self.kept:
                self.keep(pid, tid)
        pieces: list[bytes] = []
        for stat, schedstat in self.kept.values():
            pieces += (read_or_empty(stat), read_or_empty(schedstat) if schedstat else b"")
        return tuple(pieces)

    def thread_ids(self) -> dict[int, int]:
        """Threads that exist now: tid → pid."""
        pids = {pid for group in self.groups for pid in processes(group)} | set(self.others)
        found: dict[int, int] = {}
        for pid in pids:
            try:
                found.update({int(task.name): pid for task in Path(f"/proc/{pid}/task").iterdir()})
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended while we looked
        return found

    def keep(self, pid: int, tid: int) -> None:
        """Open a new thread's files."""
        directory = f"/proc/{pid}/task/{tid}"
        try:
            stat = KeptFile(f"{directory}/stat")
        except OSError:
            return  # it ended while we looked
        try:
            self.kept[tid] = (stat, KeptFile(f"{directory}/schedstat"))
        except OSError:
            self.kept[tid] = (stat, None)  # a kernel without CONFIG_SCHED_INFO: ticks are all there is

    def drop(self, tid: int) -> None:
        """Close a thread's files."""
        for file in self.kept.pop(tid):
            if file is not None:
                file.close()

    def parse(self, raw: Raw) -> Reading:
        found: dict[Channel, float] = {}
        for stat, schedstat in zip(raw[::2], raw[1::2], strict=True):
            found.update(parse_thread(stat.decode("utf-8", "replace"), schedstat.decode("ascii")))
        return found

    def close(self) -> None:
        for tid in list(self.kept):
            self.drop(tid)


def processes(group: Cgroup) -> set[int]:
    """The processes of a cgroup and its children, by one hierarchy: this is done every second in a window."""
    found: set[int] = set()
    for procs in group.file("memory", "cgroup.procs").parent.rglob("cgroup.procs"):
        try:
            found.update(int(pid) for pid in procs.read_text(encoding="ascii").split())
        except OSError:
            continue  # a child group that just went away, or a threaded one: its parent lists its processes
    return found


def parse_thread(stat: str, schedstat: str) -> dict[Channel, float]:
    """Parse one thread's stat and schedstat; nothing for a thread that was gone."""
    if not stat:
        return {}
    head, _, rest = stat.rpartition(")")
    tid, _, command = head.partition(" (")
    fields = rest.split()
    name = f"{command}.{tid}"
    found = {
        Channel(f"{name}.user", UNIT, True): int(fields[USER_FIELD]) * CLOCK_TICK_S,
        Channel(f"{name}.system", UNIT, True): int(fields[SYSTEM_FIELD]) * CLOCK_TICK_S,
    }
    if schedstat:
        found[Channel(f"{name}.cpu", UNIT, True)] = int(schedstat.split()[0]) / 1e9
    return found
