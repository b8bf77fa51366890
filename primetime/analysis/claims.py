"""What the study that primetime grew out of said of power, as findings that hold on this device or do not.

Two sentences: power follows CPU use; and microVMs take more power than containers (19 %), but less than their network
throughput gains (3 times), so they do more per joule. The figures in brackets are the study's, of its boards: here it
is asked whether the sentence holds, and the device's own figures stand beside them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from primetime.analysis.checks.network import THROUGHPUT_UNIT, is_network
from primetime.analysis.cpu_power import Line
from primetime.analysis.data import CampaignData
from primetime.analysis.power import PER_JOULE, POWER, Power
from primetime.analysis.quantities import ratio_in_words
from primetime.analysis.scope import covers
from primetime.analysis.verdicts import blocks_needed
from primetime.intervals import log_ratio_interval, log_ratios
from primetime.model import Interval, QualityWarning, Severity

STUDY = "microvm-on-edge"  # only its own campaigns are told of what they did not measure
CONTAINERS = ("runc", "crun", "docker", "containerd-runc")
MICROVMS = ("firecracker", "kata", "cloud-hypervisor", "qemu-microvm")
FOLLOWS = 0.2  # of the swing over the load levels: what a line may leave over, as two standard deviations
NO_METER = "there is no power meter"
STUDYS = {"power": 1.19, "throughput": 3.0}


class Holding(StrEnum):
    """What became of a claim here."""

    HOLDS = "holds"
    FAILS = "does not hold"
    OPEN = "is not resolved"
    UNKNOWN = "was not measured"


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim of the study on this device. `about`: the environments it was asked of."""

    claim: str
    holding: Holding
    about: tuple[str, ...]
    sentence: str


Ratios = Mapping[str, Interval]  # by "power", "throughput", "work_per_joule"


def claims(
    data: CampaignData, power: Power, lines: Sequence[Line], warnings: Sequence[QualityWarning]
) -> tuple[Claim, ...]:
    """Return the claims that this campaign has something to say of."""
    if power.meter is None and data.study.name != STUDY:
        return ()
    return (follows_cpu(power, lines, warnings), *network_claims(data, power, warnings))


def follows_cpu(power: Power, lines: Sequence[Line], warnings: Sequence[QualityWarning]) -> Claim:
    """Power follows CPU: a line of each environment rises, and leaves little over."""
    said = "Power follows CPU use"
    reason = NO_METER if power.meter is None else "no ladder of loads was measured"
    marked = [one.sentence for one in warnings if one.id == "emulated"]
    if not lines or marked:
        return unknown("power-follows-cpu", said, (), marked[0] if marked else reason)
    labels = tuple(line.environment for line in lines)
    shares = {line.environment: left_share(line) for line in lines}
    if any(line.slope.half is None for line in lines):
        return Claim(
            "power-follows-cpu", Holding.OPEN, labels, f"{said}: not resolved, a line from one boot is no line."
        )
    good = [line.environment for line in lines if line.slope.low > 0 and shares[line.environment] <= FOLLOWS]
    holding = Holding.HOLDS if len(good) == len(lines) else Holding.FAILS
    of_all = "in all environments" if len(lines) > 1 else f"in {labels[0]}"
    words = (
        f"holds here {of_all}"
        if holding is Holding.HOLDS
        else f"does not hold here in {', '.join(others(labels, good))}"
    )
    seen = "; ".join(
        f"{line.environment} {line.slope.value:.3g} W per busy CPU, ±{2 * line.residual:.2g} W left over "
        f"({100 * shares[line.environment]:.0f} % of the swing)"
        for line in lines
    )
    return Claim("power-follows-cpu", holding, labels, f"{said}: {words}: {seen}.")


def left_share(line: Line) -> float:
    """What a line leaves over, as a part of what power swings by over the levels."""
    uses = [use for fit in line.fits for use, _ in fit.points]
    swing = abs(line.slope.value) * (max(uses) - min(uses))
    return 2 * line.residual / swing if swing > 0 else 1.0


def others(labels: Sequence[str], good: Sequence[str]) -> list[str]:
    """The environments that are not among the good ones."""
    return [label for label in labels if label not in good]


def network_claims(data: CampaignData, power: Power, warnings: Sequence[QualityWarning]) -> Iterator[Claim]:
    """More power, but still more throughput: for every stream, container and microVM."""
    streams = [name for name in data.points if is_stream(data, name)]
    pairs = [(one, other) for one in of_kinds(data, MICROVMS) for other in of_kinds(data, CONTAINERS)]
    reason = ""  # one for all of them is said once
    if not streams:
        reason = "this campaign has not a stream to a peer"
    elif not pairs:
        reason = "this campaign has not a container and a microVM to compare"
    elif power.meter is None:
        reason = NO_METER
    if reason:
        yield unknown("microvm-power", SAID, (), reason)
        return
    for point in streams:
        for pair in pairs:
            yield network_claim(data, warnings, (point, *pair))


SAID = "MicroVMs take more power than containers, and do more per joule on the network"


def network_claim(data: CampaignData, warnings: Sequence[QualityWarning], cell: tuple[str, str, str]) -> Claim:
    """One stream, one microVM and one container. `cell`: point, microVM, container."""
    point, microvm, container = cell
    said = f"{SAID}: in {point}, {microvm} against {container}"
    about = (microvm, container)
    metrics = {"power": POWER.name, "throughput": data.points[point].primary, PER_JOULE: PER_JOULE}
    for metric in metrics.values():
        for one in warnings:
            if one.severity is Severity.FORBIDS and covers(one.scope, about, point, metric):
                return unknown("microvm-power", said, about, one.sentence)
    ratios = {name: paired(data, point, metric, about) for name, metric in metrics.items()}
    known = {name: one for name, one in ratios.items() if one is not None}
    if len(known) < len(ratios):
        lacking = ", ".join(name.replace("_", " ") for name in ratios if name not in known)
        return unknown("microvm-power", said, about, f"too few blocks have {lacking} of both")
    holding = judged(known)
    return Claim("microvm-power", holding, about, f"{said}: {holding.value} here: {figures(known)}.")


def judged(ratios: Ratios) -> Holding:
    """Whether it takes more power and does more per joule."""
    power, efficiency = ratios["power"], ratios[PER_JOULE]
    if power.low > 1 and efficiency.low > 1:
        return Holding.HOLDS
    return Holding.FAILS if power.high < 1 or efficiency.high < 1 else Holding.OPEN


def figures(ratios: Ratios) -> str:
    """This device's ratios, with the study's own beside them."""
    parts = []
    for name, ratio in ratios.items():
        study = STUDYS.get(name)
        inside = study is not None and ratio.low <= study <= ratio.high
        beside = f" (the study's {study:g} lies {'inside' if inside else 'outside'})" if study else ""
        parts.append(f"{name.replace('_', ' ')} {ratio_in_words(ratio)}{beside}")
    return ", ".join(parts)


def paired(data: CampaignData, point: str, metric: str, pair: tuple[str, str]) -> Interval | None:
    """The ratio of two environments by blocks; None with fewer than a verdict needs."""
    own, base = (data.by_block(point, label, metric) for label in pair)
    d = list(log_ratios(own, base).values())
    return log_ratio_interval(d) if len(d) >= max(2, blocks_needed(data.study)) else None


def is_stream(data: CampaignData, point: str) -> bool:
    """Whether a point is a network throughput as fast as it goes: a paced one has no gain to show."""
    record = data.points[point]
    primary = data.metrics.get(point, {}).get(record.primary)
    unit = primary.unit if primary else ""
    return is_network(record) and unit == THROUGHPUT_UNIT and not record.point.params.get("rate")


def of_kinds(data: CampaignData, kinds: Sequence[str]) -> list[str]:
    """The environments of some kinds, as they were measured."""
    return [label for label, record in data.environments.items() if record.spec.kind in kinds]


def unknown(claim: str, said: str, about: tuple[str, ...], reason: str) -> Claim:
    """A claim that nothing can be said of, and why."""
    return Claim(claim, Holding.UNKNOWN, about, f"{said}: not measured: {reason}.")
