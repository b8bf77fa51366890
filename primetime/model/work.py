"""What is run: points, the steps that a workload builds from them, and what the steps gave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

Scalar = str | int | float | bool
Params = Mapping[str, Scalar]


@dataclass(frozen=True, slots=True)
class Point:
    """One workload with one complete set of parameters (defaults filled in). `group` is its point group."""

    name: str
    workload: str
    params: Params
    group: int = 0


NETWORK_WORKLOADS = frozenset({"netperf", "iperf3"})
PEER_WORD = "{peer}"  # in the argv of a user's own program: the peer's address


def talks_to_peer(point: Point) -> bool:
    """Whether packets go to the peer: a network workload's, or those of a user's program that is told of it."""
    if point.workload in NETWORK_WORKLOADS:
        return True
    words = (str(point.params.get(key, "")) for key in ("argv", "warm"))
    return point.params.get("server", "[]") != "[]" or any(PEER_WORD in word for word in words)


class Where(StrEnum):
    """Which side runs a step."""

    TARGET = "target"
    PEER = "peer"


@dataclass(frozen=True, slots=True)
class Step:
    """One program run: argv only, never a shell string. `name` names its raw output ("fio.json")."""

    where: Where
    argv: tuple[str, ...]
    name: str
    timeout_s: float
    stdin: bytes = b""


@dataclass(frozen=True, slots=True)
class FileToPut:
    """A file that a workload brings along. `path`: on its side, below /data (target only) or /tmp; `mode`: 0o755."""

    where: Where
    path: str
    content: bytes
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class StepOutput:
    """What one step gave. `t0`, `t1`: host CLOCK_MONOTONIC seconds around it."""

    name: str
    argv: tuple[str, ...]
    returncode: int
    stdout: bytes
    stderr: bytes
    t0: float
    t1: float


@dataclass(frozen=True, slots=True)
class Site:
    """Where a recipe will run: paths and addresses as seen from inside the environment."""

    data_dir: str  # the volume
    logical_block: int  # bytes; O_DIRECT below it is impossible
    peer: str  # address of the peer as the target sees it; "" when the campaign has none
    smoke: bool = False  # one-second trials
    peer_port: int = 0  # where a far peer's server listens; 0: the tool's own
    local_port: int = 0  # of the data connection, another in every trial; 0: the kernel's choice
    absent: frozenset[str] = frozenset()  # of the programs that the points ask for: what the userland lacks


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a workload wants done for one point.

    `files` are there before everything else; `servers` run on their side for as long as the boot lives;
    `layout` once per boot (equal layouts of several points run once, by `layout_key`); `warm` before every
    trial so that the binary is in memory; `run` is the measured window; `hold_s` keeps the window open that
    long where there is nothing to run.
    """

    run: tuple[Step, ...] = ()
    warm: tuple[Step, ...] = ()
    layout: tuple[Step, ...] = ()
    layout_key: str = ""
    servers: tuple[Step, ...] = ()
    files: tuple[FileToPut, ...] = ()
    hold_s: float = 0.0
    duration_s: float = 0.0  # expected length of the window
    bytes_written: int = 0  # expected, without the layout
    layout_bytes: int = 0
    writes: bool = False  # the window ends with a drain
    ramp_s: float = 0.0  # the tool's own lead-in, which its figures leave out: so do the window's


@dataclass(frozen=True, slots=True)
class TrialData:
    """What a workload's parser may look at. Times: host CLOCK_MONOTONIC seconds; memory: bytes."""

    outputs: tuple[StepOutput, ...]
    t0: float
    t1: float
    drain_s: float = 0.0
    boot: Mapping[str, float] = field(default_factory=dict)  # ready_s, footprint_bytes, agent_bytes, …

    def output(self, name: str) -> StepOutput:
        """Return the output of the step called `name` (KeyError when there is none)."""
        for output in self.outputs:
            if output.name == name:
                return output
        raise KeyError(name)
