"""What the runner tells its listeners. Terminal, `--json` lines and tests are listeners."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from primetime.model.environment import Usable
from primetime.model.plan import BootStatus, CampaignState, Estimate, Slot, TrialStatus


@dataclass(frozen=True, slots=True)
class CampaignStarted:
    path: str
    study: str
    seed: int
    environments: tuple[str, ...]
    points: tuple[str, ...]
    estimate: Estimate
    resumed: bool


@dataclass(frozen=True, slots=True)
class EnvironmentSurveyed:
    """What trying an environment showed; where it is not usable, its slots are skipped with the reason."""

    environment: str
    state: Usable
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class StepStarted:
    """Something that takes time outside trials (an image build, calibration), in words."""

    what: str


@dataclass(frozen=True, slots=True)
class BlockStarted:
    block: int
    of: int
    boots: int
    eta_s: float


@dataclass(frozen=True, slots=True)
class BootStarted:
    boot: int
    slot: Slot


@dataclass(frozen=True, slots=True)
class PhaseEnded:
    boot: int
    trial: int | None
    phase: str
    t0: float
    t1: float


@dataclass(frozen=True, slots=True)
class TrialStarted:
    trial: int
    boot: int
    environment: str
    point: str


@dataclass(frozen=True, slots=True)
class TrialEnded:
    trial: int
    boot: int
    environment: str
    point: str
    status: TrialStatus
    reason: str
    figure: str  # the primary figure, in words; "" when there is none
    done: int
    of: int
    eta_s: float


@dataclass(frozen=True, slots=True)
class BootEnded:
    boot: int
    slot: Slot
    status: BootStatus
    reason: str


@dataclass(frozen=True, slots=True)
class VisitOpened:
    """After `block` (0: before the first) the device may be visited from outside (fleet), until `until` at least.

    `until`: host CLOCK_MONOTONIC seconds; the interval ends earlier once somebody has come and gone.
    """

    block: int
    until: float


@dataclass(frozen=True, slots=True)
class CampaignEnded:
    path: str
    state: CampaignState
    failed: int
    skipped: int


Event = (
    CampaignStarted
    | EnvironmentSurveyed
    | StepStarted
    | BlockStarted
    | BootStarted
    | PhaseEnded
    | TrialStarted
    | TrialEnded
    | BootEnded
    | VisitOpened
    | CampaignEnded
)
Listener = Callable[[Event], None]
