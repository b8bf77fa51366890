"""Somebody else's results as a campaign: the same analysis and the same checks over raw outputs of another study.

What the outputs do not say is marked as unknown, never guessed: the device, the order of the runs, whether each had a
boot of its own, limits, caches, what was still in memory when a run ended.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from primetime.campaign.foreign_map import Place, place_files
from primetime.campaign.foreign_tools import UNKNOWN, ForeignRun, read_run
from primetime.errors import TrialFailed, UserError
from primetime.model import (
    Block,
    BootStatus,
    CampaignState,
    EnvironmentSpec,
    Fact,
    LimitSpec,
    Pace,
    Point,
    Role,
    Slot,
    Stopping,
    Study,
    TrialStatus,
    Usability,
    Usable,
    VolumeSpec,
)
from primetime.store import CampaignFile, TrialResult

KIND = "foreign"
RAW = {"fio": "fio.json", "netperf": "netperf", "iperf3": "iperf3.json"}
NOT_KNOWN = "device, order of runs, boots, limits, caches, drain"
BLOCKS = 10  # what a verdict needs, as of any campaign


@dataclass(frozen=True, slots=True)
class Foreign:
    """What to import. `pattern`: which file belongs where; `baseline`: "" for the first environment."""

    tool: str
    files: Sequence[Path]
    pattern: str
    baseline: str = ""


def import_campaign(foreign: Foreign, path: Path) -> list[Path]:
    """Write a new campaign file; return the files that the pattern does not fit. UserError for the user's mistakes."""
    placed, others = place_files(foreign.files, foreign.pattern)
    runs = {place: read(foreign.tool, place.path) for place in placed}
    study = study_of(foreign, placed, runs, path.stem)
    campaign = CampaignFile.create(path, study, 0, UNKNOWN)
    try:
        with campaign:
            write_campaign(campaign, foreign, runs)
    except BaseException as error:
        path.unlink(missing_ok=True)  # half of an import cannot be gone on with
        if isinstance(error, UserError):
            raise UserError(error.message, "give another place with -o") from error
        raise
    return others


def write_campaign(campaign: CampaignFile, foreign: Foreign, runs: Mapping[Place, ForeignRun | str]) -> None:
    """Write all that the files say into a new campaign."""
    study = campaign.study()
    facts = {"foreign.tool": foreign.tool, "foreign.map": foreign.pattern, "foreign.unknown": NOT_KNOWN}
    campaign.add_facts([Fact(name, value) for name, value in facts.items()])
    for spec in study.environments:
        campaign.add_environment(spec, spec.label, Usability(KIND, Usable.YES))
    campaign.add_points(
        (point, next(one.primary for place, one in good(runs).items() if place.point == point.name))
        for point in study.points
    )
    names = {point.name for point in study.points}
    turns = {run: number for number, run in enumerate(sorted({place.run for place in runs}, key=natural), start=1)}
    for run, block in turns.items():
        those = {place: one for place, one in runs.items() if place.run == run and place.point in names}
        write_block(campaign, foreign.tool, block, those)
    campaign.set_state(CampaignState.BLOCKS)


def read(tool: str, path: Path) -> ForeignRun | str:
    """Return what a file says, or why it says nothing."""
    try:
        return read_run(tool, path.read_bytes())
    except TrialFailed as error:
        return error.message.encode(errors="replace").decode()  # it may quote what is no text
    except OSError as error:
        raise UserError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}", f"ls -l {path}") from None


def good(runs: Mapping[Place, ForeignRun | str]) -> dict[Place, ForeignRun]:
    """Return the runs that gave something."""
    return {place: one for place, one in runs.items() if isinstance(one, ForeignRun)}


def study_of(foreign: Foreign, placed: Sequence[Place], runs: dict[Place, ForeignRun | str], name: str) -> Study:
    """Return a study that says what is known, and unknown for the rest."""
    labels = sorted({place.environment for place in placed})
    baseline = foreign.baseline or labels[0]
    if baseline not in labels:
        raise UserError(f"no file belongs to an environment {baseline!r}", f"--baseline one of: {', '.join(labels)}")
    labels = [baseline, *(label for label in labels if label != baseline)]
    read_well = good(runs)
    if not read_well:
        words = next(one for one in runs.values() if isinstance(one, str))
        raise UserError(f"no file could be read: {words}", f"are these raw outputs of {foreign.tool}?")
    points = {
        place.point: Point(place.point, foreign.tool, one.params)
        for place, one in sorted(read_well.items(), key=lambda item: (item[0].point, item[0].environment == baseline))
    }
    return Study(
        name=name,
        title=f"Foreign results: {foreign.tool}",
        quick=False,
        baseline=baseline,
        environments=tuple(EnvironmentSpec(label, KIND) for label in labels),
        points=tuple(points.values()),
        limits=LimitSpec(0, 0, UNKNOWN, 0),
        volume=VolumeSpec(UNKNOWN, UNKNOWN, 0),
        stopping=Stopping(BLOCKS, BLOCKS, 0.03, 0.0),
        pace=Pace(0.0, 0.0, 0.0, 0.0),
        peer=UNKNOWN,
        margins={"default": 0.05, "latency_p50": 0.10, "latency_p99": 0.20},
        vary_setup=False,
    )


def write_block(campaign: CampaignFile, tool: str, block: int, runs: dict[Place, ForeignRun | str]) -> None:
    """Write one run of every cell; each environment's runs stand in one boot, which is not known to have been one."""
    labels = sorted({place.environment for place in runs})
    points = {label: tuple(place.point for place in runs if place.environment == label) for label in labels}
    slots = [Slot(block, ord_, label, Role.MAIN, 0, points[label]) for ord_, label in enumerate(labels, start=1)]
    campaign.plan_block(Block(block, tuple(slots)))
    for slot in campaign.open_slots(block):
        mine = {place.point: (place, one) for place, one in runs.items() if place.environment == slot.slot.environment}
        starts = [one.started_at for _, one in mine.values() if isinstance(one, ForeignRun)]
        boot = campaign.begin_boot(slot.slot_id, 0.0, min(starts, default=""))
        for trial, point in slot.remaining_points:
            place, one = mine[point]
            write_trial(campaign, (trial, boot), (RAW[tool], place.path), one)
        campaign.end_boot(boot, BootStatus.DONE, "", 0.0)


def write_trial(campaign: CampaignFile, ids: tuple[int, int], source: tuple[str, Path], one: ForeignRun | str) -> None:
    """Write one run: its figures, or why there are none, with the file itself."""
    trial, boot = ids
    name, path = source
    content = path.read_bytes()
    facts: dict[str, str | int | float | bool] = {
        "foreign.file": path.name,
        "foreign.sha256": hashlib.sha256(content).hexdigest(),
    }
    if isinstance(one, str):
        campaign.begin_trial(trial, boot, "")
        campaign.finish_trial(trial, TrialResult(TrialStatus.FAILED, one, raw={name: content}))
    else:
        campaign.begin_trial(trial, boot, one.started_at)
        result = TrialResult(TrialStatus.DONE, "", one.duration_s, one.measurements, {name: content})
        campaign.finish_trial(trial, result)
        facts |= {**one.told, **{f"param.{key}": value for key, value in one.params.items()}}
    campaign.add_facts([Fact(key, value, "trial", str(trial)) for key, value in facts.items()])


def natural(run: str) -> tuple[int, str]:
    """Sort "2" before "10"."""
    return (int(run), run) if run.isdecimal() else (0, run)
