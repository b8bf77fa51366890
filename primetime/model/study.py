"""What to measure, as read from a TOML file: values are checked, defaults are filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from primetime.model.environment import EnvironmentSpec
from primetime.model.work import Params, Point


@dataclass(frozen=True, slots=True)
class VolumeSpec:
    """The storage under test (contract §1). `path`: a directory of the file system to test, or, in `partition`
    mode, a block device (which `erase` must allow); `discard`: "never" or "before-boot"; bytes."""

    mode: str
    path: str
    size_bytes: int
    erase: bool = False
    discard: str = "never"


@dataclass(frozen=True, slots=True)
class Stopping:
    """When a campaign has measured enough (contract §8). `half_width`: of the ratio, 0.05 = 5 %."""

    min_blocks: int
    max_blocks: int
    half_width: float
    budget_s: float
    aa: bool = False  # the baseline once more in every block
    reboot_every: int = 0  # blocks between reboots of the host; 0: none
    iterations: int = 1  # of every point inside one boot; their mean is the boot's figure
    emulated_blocks: int = 1  # for environments whose figures are an emulator's and get no verdict


@dataclass(frozen=True, slots=True)
class Pace:
    """Waiting between windows, in seconds and degrees Celsius."""

    settle_s: float
    settle_limit_s: float
    cool_within_c: float
    cool_limit_s: float


@dataclass(frozen=True, slots=True)
class LimitSpec:
    """`cpus` 0 means: as many as the environment CPU set holds. `budget`: "guest"."""

    cpus: int
    memory_bytes: int
    budget: str
    host_cache_bytes: int


@dataclass(frozen=True, slots=True)
class FlashSpec:
    """What is done to flash, and how much of it may be worn (contract §6). 0 bytes: no limit."""

    precondition: bool = False
    max_bytes_written: int = 0
    idle_after_write_s: float = 0.0


@dataclass(frozen=True, slots=True)
class MeterSpec:
    """One power meter with its settings, under a unique name."""

    name: str
    kind: str
    settings: Params = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PowerSpec:
    """What meters are given time for (contract §10), in seconds. `pulse_s`: one of three idles and two full loads;
    `idle_s`: of the bare host and of the idle environment, in every boot; `phase_s`: the shortest window."""

    meters: tuple[MeterSpec, ...] = ()
    pulse_s: float = 0.0
    idle_s: float = 0.0
    phase_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Study:
    """A study file, resolved. `text` is the file as the user wrote it; `quick` verdicts only suggest."""

    name: str
    title: str
    quick: bool
    baseline: str
    environments: tuple[EnvironmentSpec, ...]
    points: tuple[Point, ...]
    limits: LimitSpec
    volume: VolumeSpec
    stopping: Stopping
    pace: Pace
    peer: str  # "namespace" or "host:port"
    margins: Mapping[str, float]  # by metric name; "default" for the rest
    tuning: Params = field(default_factory=dict)  # knob → value
    cpu_sets: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)  # kernel, userland: a user's own paths
    smoke: bool = False
    text: str = ""
    network_path: str = "bridge+nat"  # or "routed", "l2bridge": how containers and VMs reach the peer
    flash: FlashSpec = field(default_factory=FlashSpec)
    class_margins: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # by words in a device's model
    primary: Mapping[str, str] = field(default_factory=dict)  # by workload or point, where it is not the usual
    exclude: Mapping[str, float] = field(default_factory=dict)  # rules written before: the most that is allowed
    vary_setup: bool = True  # what must not matter (padding, placement, MAC, ports) is varied and recorded
    power: PowerSpec = field(default_factory=PowerSpec)
