"""WHAT IS RUN: the registry of workloads; a member is imported when it is asked for."""

from __future__ import annotations

from importlib import import_module

from primetime.errors import UserError
from primetime.workloads.base import Workload

MEMBERS = {
    "fio": ("primetime.workloads.fio", "Fio"),
    "netperf": ("primetime.workloads.netperf", "Netperf"),
    "iperf3": ("primetime.workloads.iperf3", "Iperf3"),
    "files": ("primetime.workloads.files", "Files"),
    "filebench": ("primetime.workloads.filebench", "Filebench"),
    "command": ("primetime.workloads.command", "CommandWorkload"),
    "start": ("primetime.workloads.start", "Start"),
    "idle": ("primetime.workloads.idle", "Idle"),
    "ladder": ("primetime.workloads.ladder", "Ladder"),
    "fake": ("primetime.workloads.fake", "FakeWorkload"),
}


def names() -> tuple[str, ...]:
    """The workloads that users may name."""
    return tuple(name for name in MEMBERS if name != "fake")


def workload(name: str) -> Workload:
    """Return the workload called `name`; UserError when there is none."""
    if name not in MEMBERS:
        raise UserError(f"unknown workload {name!r}", f"known workloads: {', '.join(names())}")
    module, member = MEMBERS[name]
    made: Workload = getattr(import_module(module), member)()
    return made
