"""A campaign with known true ratios, written through the runner's own API: deterministic, without root or device."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from primetime.environments import environment, environment_class
from primetime.model import (
    Block,
    BootStatus,
    CampaignState,
    Channel,
    Direction,
    EnvironmentSpec,
    Fact,
    LimitSpec,
    Measurement,
    Metric,
    MetricKind,
    Pace,
    Params,
    Phase,
    Point,
    Role,
    SeriesChunk,
    Slot,
    Stopping,
    Study,
    TrialStatus,
    Usability,
    Usable,
    VolumeSpec,
)
from primetime.store import CampaignFile, ClockRelation, OpenSlot, TrialResult

RATE = Metric("rate", "B/s", Direction.HIGHER, MetricKind.RATE)
TRANSACTIONS = Metric("transaction_rate", "1/s", Direction.HIGHER, MetricKind.RATE)
THROUGHPUT = Metric("throughput", "bit/s", Direction.HIGHER, MetricKind.RATE)
READY = Metric("ready_s", "s", Direction.LOWER, MetricKind.COST)
CPU = Metric("cpu_per_gb", "CPU s/GB", Direction.LOWER, MetricKind.COST)
RESIDUAL = Metric("cpu_residual", "CPU s", Direction.LOWER, MetricKind.RATIO)  # so that nobody compares it
HIT = Metric("cache_hits", "", Direction.HIGHER, MetricKind.RATIO)

READ = Point("fio-randread-4KiB", "fio", {"rw": "randread", "bs": 4096, "direct": True})
WRITE = Point("fio-randwrite-4KiB", "fio", {"rw": "randwrite", "bs": 4096, "direct": False})
STREAM = Point("netperf-stream", "netperf", {"test": "stream"})
REQUESTS = Point("netperf-rr", "netperf", {"test": "rr"})
START = Point("start", "start", {})
PRIMARY = {
    READ.name: (RATE, 53.9e6),
    WRITE.name: (RATE, 21.4e6),
    STREAM.name: (THROUGHPUT, 9.41e9),
    REQUESTS.name: (TRANSACTIONS, 18_300.0),
    START.name: (READY, 0.012),
}
OTHER = (RATE, 40e6)


@dataclass(frozen=True)
class Making:
    """What to make. `truth`: true ratio to native by (environment, point), 1 where it is not given."""

    kinds: Mapping[str, str] = field(
        default_factory=lambda: {"native": "native", "runc": "runc", "gvisor": "gvisor", "qemu": "qemu"}
    )
    settings: Mapping[str, Params] = field(default_factory=dict)  # of an environment, by label
    points: tuple[Point, ...] = (READ, WRITE, STREAM, REQUESTS)
    truth: Mapping[tuple[str, str], float] = field(default_factory=dict)
    blocks: int = 10
    quick: bool = False
    smoke: bool = False
    spread: float = 0.01  # sd of a boot's ln
    drift: float = 0.02  # sd of a block's ln, shared by all environments
    emulated: frozenset[str] = frozenset()
    unusable: frozenset[str] = frozenset()
    uncapped: frozenset[str] = frozenset()  # whose VMM's memory was not
    failing: frozenset[tuple[str, str, int]] = frozenset()  # (environment, point, block)
    margins: Mapping[str, float] = field(default_factory=lambda: {"default": 0.05})
    peer: str = "namespace"
    seed: int = 20261124
    name: str = "made"
    device: str = "test device"


def study_of(making: Making) -> Study:
    """The study of a made campaign."""
    return Study(
        name=making.name,
        title="A made campaign",
        quick=making.quick,
        baseline="native",
        environments=tuple(
            EnvironmentSpec(label, kind, making.settings.get(label, {})) for label, kind in making.kinds.items()
        ),
        points=making.points,
        limits=LimitSpec(1, 512 * 2**20, "guest", 0),
        volume=VolumeSpec("image", "/var/lib/primetime", 2**29),
        stopping=Stopping(5 if making.quick else 10, 40, 0.05, 3600.0),
        pace=Pace(0.0, 1.0, 2.0, 1.0),
        peer=making.peer,
        margins=making.margins,
        smoke=making.smoke,
        text='title = "A made campaign"\n',
    )


def make_campaign(path: Path, making: Making) -> Path:
    """Write a finished campaign file and return its path."""
    study = study_of(making)
    chance = random.Random(making.seed)
    with CampaignFile.create(path, study, making.seed, making.device) as file:
        _open_campaign(file, study, making)
        for index in range(1, making.blocks + 1):
            _carry_out(file, making, index, chance)
        file.add_clock(ClockRelation("guest", "monotonic", 0.00031, 1.2, 0.00002))
        file.set_state(CampaignState.BLOCKS)
    return path


def _open_campaign(file: CampaignFile, study: Study, making: Making) -> None:
    for spec in study.environments:
        usability = Usability(spec.kind, Usable.YES, versions={spec.kind: "1.0"})
        if spec.label in making.emulated:
            usability = Usability(spec.kind, Usable.CAVEAT, "there is no /dev/kvm", emulated=True)
        if spec.label in making.unusable:
            usability = Usability(spec.kind, Usable.NO, f"{spec.kind} is not installed", f"apt install {spec.kind}")
        printed = "gvisor (systrap)" if spec.kind == "gvisor" else spec.label
        file.add_environment(spec, printed, usability)
        direct = environment(spec).bypasses_host_cache()
        file.add_facts([Fact("bypasses_host_cache", direct, "environment", spec.label)])
    file.add_points((point, PRIMARY.get(point.name, OTHER)[0].name) for point in study.points)
    file.add_facts(
        [Fact("kernel.release", "6.12.1"), Fact("cpu.model", "Cortex-A72"), Fact("network.peer", making.peer)]
    )


def _carry_out(file: CampaignFile, making: Making, index: int, chance: random.Random) -> None:
    labels = [label for label in making.kinds if index == 1 or label not in making.emulated]
    chance.shuffle(labels)
    names = [point.name for point in making.points]
    chance.shuffle(names)
    slots = tuple(Slot(index, order, label, Role.MAIN, 0, tuple(names)) for order, label in enumerate(labels))
    file.plan_block(Block(index, slots))
    shared = {name: chance.gauss(0, making.drift) for name in names}
    for slot in file.open_slots(index):
        if slot.slot.environment in making.unusable:
            file.skip_slot(slot.slot_id, f"{making.kinds[slot.slot.environment]} is not installed")
        else:
            _boot(file, making, slot, {name: level + chance.gauss(0, making.spread) for name, level in shared.items()})


def _boot(file: CampaignFile, making: Making, slot: OpenSlot, noise: Mapping[str, float]) -> None:
    label, start = slot.slot.environment, slot.slot.block * 1000.0 + slot.slot.ord * 100.0
    boot = file.begin_boot(slot.slot_id, start)
    facts = {"limits.memory_bytes": 2**29, "boot.ready_s": 0.1 + 0.01 * slot.slot.ord, "boot.footprint_bytes": 30 << 20}
    if environment_class(making.kinds[label]).guest_kernel and label not in making.uncapped:
        facts["vmm_cap_bytes"] = 600 << 20
    file.add_facts(Fact(name, value, "boot", str(boot)) for name, value in facts.items())
    for trial, point in slot.remaining_points:
        file.begin_trial(trial, boot)
        file.finish_trial(trial, _result(making, label, point, noise[point], slot.slot.block))
        file.add_phases(boot, [Phase("run", start, start + 2.0, trial)])
    channels = (Channel("busy", "s", True), Channel("power", "W", False))
    times = tuple(start + 0.1 * step for step in range(5))
    rows = tuple((100 + step, 3.25 if step else None) for step in range(5))
    file.add_chunks(boot, [SeriesChunk("cpu", "monotonic", channels, times, rows)])
    file.add_raw(boot, {"console": b"booted\n"})
    file.end_boot(boot, BootStatus.DONE, "", start + 50.0)


def _result(making: Making, label: str, point: str, noise: float, block: int) -> TrialResult:
    if (label, point, block) in making.failing:
        return TrialResult(TrialStatus.FAILED, "fio ended with exit code 1", raw={"fio.json.stderr": b"no space"})
    metric, level = PRIMARY.get(point, OTHER)
    value = level * making.truth.get((label, point), 1.0) * math.exp(noise)
    measured = (
        Measurement(metric, value),
        Measurement(CPU, 0.8 / math.exp(noise)),
        Measurement(RESIDUAL, 0.001),
        Measurement(HIT, 0.5),
    )
    return TrialResult(TrialStatus.DONE, "", 2.0, measured, {"fio.json": b'{"jobs": []}', "empty": b""})


def rich() -> Making:
    """A quick-like campaign with every verdict in it."""
    truth = {
        ("gvisor", READ.name): 0.69,
        ("gvisor", WRITE.name): 0.41,
        ("runc", WRITE.name): 0.975,
        ("gvisor", REQUESTS.name): 0.52,
        ("qemu", READ.name): 0.12,
        ("qemu", REQUESTS.name): 0.08,
        ("qemu", STREAM.name): 0.03,
        ("qemu", WRITE.name): 0.07,
    }
    failing = frozenset({("gvisor", WRITE.name, 3)})
    return replace(Making(), truth=truth, failing=failing, emulated=frozenset({"qemu"}), spread=0.012)
