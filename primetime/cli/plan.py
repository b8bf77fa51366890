"""`primetime plan STUDY`: blocks, order, duration and gigabytes, before anything runs. Needs no root."""

from __future__ import annotations

import argparse
import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from primetime.campaign.cpus import sets_here
from primetime.campaign.estimate import estimate_study, pool_bytes
from primetime.campaign.forecast import Forecast, forecast
from primetime.campaign.plan import plan_block
from primetime.campaign.session import SEED_BITS
from primetime.campaign.stopping import most_blocks
from primetime.campaign.study_file import load_study
from primetime.campaign.study_power import boot_seconds
from primetime.campaign.survey import kvm_missing
from primetime.cli import DONE
from primetime.environments import environment_class
from primetime.errors import UserError
from primetime.host.facts import machine_emulation
from primetime.instruments.power import meter, resolves
from primetime.model import Block, Estimate, Slot, Study
from primetime.store import CampaignFile
from primetime.store.campaign_file import require_seed

GIGABYTE = 1e9
FILE_SYSTEM_SHARE = 0.9  # of a volume, for the largest file on its ext4
MINUTE, HOUR, DAY = 60, 3600, 86400


@dataclass(frozen=True, slots=True)
class Planned:
    """A study as it would be carried out, if no point were retired early. `one_block`, `left_out`: label → why.

    `refusals`: what `run` would refuse or leave out on this device, a sentence each.
    """

    study: Study
    seed: int
    blocks: tuple[Block, ...]
    estimate: Estimate
    one_block: Mapping[str, str]
    left_out: Mapping[str, str]
    refusals: tuple[str, ...]


def configure(parser: argparse.ArgumentParser) -> None:
    """Say what may be typed."""
    parser.add_argument("study", help="a shipped study's name (quick) or the path of a .toml file")
    parser.add_argument("--seed", type=int, help="seed of the orders (default: a random one, shown)")
    parser.add_argument("--smoke", action="store_true", help="plan what `run --smoke` would do")
    parser.add_argument(
        "--estimate", type=Path, metavar="CAMPAIGN", help="predict blocks and hours from an earlier campaign's spread"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def execute(options: argparse.Namespace) -> int:
    """Print the plan."""
    require_seed(options.seed)
    study = load_study(options.study, smoke=options.smoke)
    planned = plan(study, secrets.randbits(SEED_BITS) if options.seed is None else options.seed)
    predicted = None
    if options.estimate is not None:
        with CampaignFile.open(options.estimate, write=False) as earlier:
            predicted = forecast(study, earlier)
    if options.json:
        print(as_json(planned, predicted))
    else:
        print("\n".join([in_words(planned), *(forecast_lines(study, predicted) if predicted else [])]))
    return DONE


def plan(study: Study, seed: int) -> Planned:
    """Plan every block. What only a boot can tell (whether KVM works) is guessed from /dev/kvm."""
    no_kvm, emulation = kvm_missing(), machine_emulation()
    guests = [spec for spec in study.environments if no_kvm and environment_class(spec.kind).guest_kernel]
    one_block = {spec.label: f"{no_kvm}, so it is emulated" for spec in guests if environment_class(spec.kind).emulable}
    left_out = {spec.label: f"it needs KVM: {no_kvm}" for spec in guests if spec.label not in one_block}
    if emulation:
        everything = [spec.label for spec in study.environments if spec.label not in left_out]
        one_block = dict.fromkeys(everything, f"this device is itself emulated ({emulation})")
    points = [point.name for point in study.points]
    count = most_blocks(study, one_block.keys())
    blocks = tuple(plan_block(study, seed, index, points, one_block.keys()) for index in range(1, count + 1))
    estimate = estimate_study(study, one_block.keys(), left_out=left_out.keys())
    return Planned(study, seed, blocks, estimate, one_block, left_out, tuple(refusals(study)))


def as_json(planned: Planned, predicted: Forecast | None = None) -> str:
    """{study, title, seed, smoke, baseline, environments, points, blocks: [{block, slots}], estimate, refusals, …}.

    `refusals` is a list of sentences, empty where this device would carry all of it out.
    """
    study = planned.study
    environments = [
        {
            **asdict(spec),
            "settings": dict(spec.settings),
            "one_block": planned.one_block.get(spec.label, ""),
            "left_out": planned.left_out.get(spec.label, ""),
        }
        for spec in study.environments
    ]
    return json.dumps(
        {
            "study": study.name,
            "title": study.title,
            "seed": planned.seed,
            "smoke": study.smoke,
            "baseline": study.baseline,
            "environments": environments,
            "points": [{**asdict(point), "params": dict(point.params)} for point in study.points],
            "blocks": [{"block": block.index, "slots": list(map(asdict, block.slots))} for block in planned.blocks],
            "estimate": asdict(planned.estimate),
            "refusals": planned.refusals,
            "forecast": asdict(predicted) if predicted else None,
        },
        indent=2,
    )


def in_words(planned: Planned) -> str:
    """What is measured, a line per block and point group, and what it costs."""
    study = planned.study
    numbers = {point.name: number for number, point in enumerate(study.points, start=1)}
    lines = [study.title, "", "points"]
    lines += [f"{number:>5}  {name}" for name, number in numbers.items()]
    lines += ["", "block  environments, then points, in the order of their turn"]
    lines += [line for block in planned.blocks for line in block_lines(block, numbers)]
    if study.stopping.max_blocks > study.stopping.min_blocks and not study.smoke:
        lines.append(f"       from block {study.stopping.min_blocks + 1} on, points that are narrow enough drop out")
    lines += ["", *estimate_lines(planned)]
    return "\n".join(lines)


def block_lines(block: Block, numbers: Mapping[str, int]) -> list[str]:
    """A line per point group: all its boots run the same points in the same order."""
    groups: dict[int, list[Slot]] = {}
    for slot in block.slots:
        groups.setdefault(slot.group, []).append(slot)
    lines = []
    for slots in groups.values():
        labels = " ".join(slot.environment for slot in slots)
        lines.append(f"{block.index:>5}  {labels}   {' '.join(str(numbers[name]) for name in slots[0].points)}")
    return lines


def estimate_lines(planned: Planned) -> list[str]:
    """Trials, time, bytes, and what is not as the study says."""
    study, estimate = planned.study, planned.estimate
    lines = [
        f"at most {estimate.trials} trials in {duration_in_words(estimate.seconds)}",
        f"at most {gigabytes(estimate.bytes_written)} written below {study.volume.path}, "
        f"where {gigabytes(estimate.disk_bytes)} must be free",
        f"seed {planned.seed}: primetime run with --seed {planned.seed} keeps to these orders",
    ]
    lines += power_lines(study)
    few = study.stopping.emulated_blocks
    blocks = "block 1 only" if few == 1 else f"blocks 1 to {few} only"
    for label, why in planned.one_block.items():
        lines.append(f"{label}: {why}: {blocks}, and no verdict")
    lines += [f"{label}: {why}: it would be left out" for label, why in planned.left_out.items()]
    return [*lines, *planned.refusals]


def refusals(study: Study) -> list[str]:
    """What `run` would refuse or leave out here: a study may be meant for another device, so the plan only says it."""
    told = [
        f"{spec.label}: its pool of {pool_bytes(spec) >> 20} MiB does not fit on a partition volume of "
        f"{study.volume.size_bytes >> 20} MiB: lower pool_mib, or raise volume.size"
        for spec in study.environments
        if study.volume.mode == "partition" and pool_bytes(spec) > FILE_SYSTEM_SHARE * study.volume.size_bytes
    ]
    try:
        sets_here(study)
    except UserError as error:
        told.append(f"this device would refuse it: {error.message}")
    except OSError:  # a container without cpusets: it cannot carry a study out, but plan it
        pass
    return told


def power_lines(study: Study) -> list[str]:
    """What the study's meters resolve, and what time they are given."""
    power = study.power
    lines = [f"meter {spec.name} ({spec.kind}): {resolves(meter(spec))}" for spec in power.meters]
    if lines and power.phase_s:
        lines.append(f"windows are at least {power.phase_s:g} s long: what a meter needs for an energy figure")
    if lines:
        lines.append(f"every boot takes {duration_in_words(boot_seconds(power))} more: load pulses and two idles")
    return lines


def forecast_lines(study: Study, predicted: Forecast) -> list[str]:
    """What an earlier campaign's spread predicts: a line per metric, then the whole."""
    width = f"{100 * study.stopping.half_width:g} %"
    lines = ["", f"from the earlier campaign, for a half-width of {width}:"]
    for need in predicted.needs:
        blocks = "over 1000" if need.blocks is None else str(need.blocks)
        how = f"extrapolated from {need.measured}" if need.extrapolated else f"seen in {need.measured}"
        advised = f", {need.iterations} iterations per boot advised" if need.iterations else ""
        lines.append(f"  {need.point:<28} {need.environment:<14} {need.metric:<18} {blocks:>9} blocks ({how}){advised}")
    most = study.stopping.max_blocks
    short = any(need.blocks is None or need.blocks > most for need in predicted.needs)
    capped = f": blocks.max = {most} ends it before {width} is reached everywhere" if short else ""
    lines.append(f"about {predicted.blocks} blocks in {duration_in_words(predicted.seconds)}{capped}")
    if predicted.unknown:
        lines.append(f"not in that campaign, and not counted: {', '.join(predicted.unknown)}")
    return lines


def gigabytes(count: int) -> str:
    """Bytes for people."""
    return f"{count / GIGABYTE:.2f} GB"


def duration_in_words(seconds: float) -> str:
    """Seconds for people: an estimate, so no finer than it is worth."""
    if seconds < 2 * MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 2 * HOUR:
        return f"{seconds / MINUTE:.0f} min"
    return f"{seconds / HOUR:.1f} h" if seconds < 2 * DAY else f"{seconds / DAY:.1f} days"
