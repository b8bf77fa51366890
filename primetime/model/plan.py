"""The experiment as planned and as carried out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """Why a slot is there."""

    MAIN = "main"
    AA = "aa"  # the baseline once more: what difference does nothing make?


class TrialStatus(StrEnum):
    PLANNED = "planned"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


class BootStatus(StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"  # it never came up, or died
    INTERRUPTED = "interrupted"  # primetime was stopped or killed


class CampaignState(StrEnum):
    RUNNING = "running"
    WIDTH = "stopped: width"
    BUDGET = "stopped: budget"
    BLOCKS = "stopped: blocks"


@dataclass(frozen=True, slots=True)
class Slot:
    """A planned place: one boot of one environment, with the order of its points."""

    block: int
    ord: int
    environment: str
    role: Role
    group: int
    points: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of time: every environment booted once per point group, in a random order."""

    index: int
    slots: tuple[Slot, ...]


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a plan will cost."""

    trials: int
    seconds: float
    bytes_written: int
    disk_bytes: int  # space needed at the volume's path
