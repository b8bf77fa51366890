"""`primetime fleet doctor|run|resume|report [FLEET] [--study STUDY]`: one study on many boards, one report."""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from primetime.campaign.signals import interruptible
from primetime.cli import DONE, FAILED, INTERRUPTED, USER_MISTAKE
from primetime.cli.doctor import MARKS, SHOWN, said
from primetime.cli.report import show
from primetime.errors import Interrupted, PrimetimeError, UserError
from primetime.model import Usable
from primetime.store import CampaignFile

if TYPE_CHECKING:
    from primetime.fleet.assignment import Assignment
    from primetime.fleet.fleet_file import FleetDevice

DEFAULT_FLEET = Path("fleet.toml")
DEFAULT_STUDY = "quick"
Outcomes = Mapping[str, Any]  # by device: what came of it, or a PrimetimeError


def configure(parser: argparse.ArgumentParser) -> None:
    """Say what may be typed."""
    parser.add_argument("act", choices=("doctor", "run", "resume", "report"), help="what to do with the fleet")
    parser.add_argument(
        "fleet", nargs="?", type=Path, default=DEFAULT_FLEET, help=f"fleet file (default: {DEFAULT_FLEET})"
    )
    parser.add_argument("--study", help=f"a shipped study's name or a .toml file (run: {DEFAULT_STUDY}; else any)")
    parser.add_argument("--device", action="append", default=[], help="only this device of the fleet; may be repeated")
    parser.add_argument("--smoke", action="store_true", help="run: every cell once, one-second trials, no verdicts")
    parser.add_argument("--now", action="store_true", help="resume: do not wait for the time that a board announced")
    parser.add_argument("-o", "--output", type=Path, metavar="HTML", help="report: the page (default below runs/)")
    parser.add_argument("--json", action="store_true", help="JSON on stdout")


def execute(options: argparse.Namespace) -> int:
    """Do it with every device of the fleet file."""
    devices = chosen(options.fleet, options.device)
    acts: dict[str, Callable[[Sequence[FleetDevice], argparse.Namespace], int]] = {
        "doctor": doctor,
        "run": run,
        "resume": resume,
        "report": report,
    }
    try:
        with interruptible():
            return acts[options.act](devices, options)
    except Interrupted as error:
        hint = "go on with: primetime fleet resume" if options.act in ("run", "resume") else ""
        raise Interrupted(error.message, hint) from error


def chosen(path: Path, names: Sequence[str]) -> tuple[FleetDevice, ...]:
    """The devices that are meant. UserError for a name that the fleet does not have."""
    try:
        from primetime.fleet.fleet_file import load_fleet
    except ImportError:
        raise UserError("fleet is not part of the one-file bundle", "use a whole installation of primetime") from None
    devices = load_fleet(path)
    known = [device.name for device in devices]
    for name in names:
        if name not in known:
            raise UserError(f"{path} has no device {name!r}", f"choose among: {', '.join(known)}")
    return tuple(device for device in devices if not names or device.name in names)


def doctor(devices: Sequence[FleetDevice], options: argparse.Namespace) -> int:
    """Try what every board can run; one table."""
    from primetime.fleet.examine import examine
    from primetime.fleet.pause import Pause
    from primetime.fleet.together import together

    pause = Pause("what a board was trying goes on there to its end")
    parts = [(device, teller(device.name)) for device in devices]
    found = together(parts, lambda device, tell: examine(device, tell, pause), pause)
    if options.json:
        print(json.dumps({name: as_data(one) for name, one in found.items()}, indent=2))
    elif any(not isinstance(one, PrimetimeError) for one in found.values()):
        print(table(found))
    say_failures(found)
    return code_of(found)


def run(devices: Sequence[FleetDevice], options: argparse.Namespace) -> int:
    """Give every board the study and see it through."""
    from primetime.campaign.study_file import load_study
    from primetime.fleet.assignment import assign, free
    from primetime.instruments.power import outside

    name = options.study or DEFAULT_STUDY
    studies = {
        device.name: load_study(name, options.smoke, [outside(device.meter)] if device.meter else [])
        for device in devices
    }
    free(device.name for device in devices)
    now = datetime.now(UTC)
    return see_through([(device, assign(device, studies[device.name], now)) for device in devices], options)


def resume(devices: Sequence[FleetDevice], options: argparse.Namespace) -> int:
    """Go on with what every board was given last; what is finished is not touched."""
    from primetime.fleet.assignment import latest, remember

    given = {one.device: one for one in latest([device.name for device in devices], study_name(options.study))}
    if options.now:
        given = {name: remember(replace(one, next_visit=0.0)) for name, one in given.items()}
    parts = [(device, given[device.name]) for device in devices if device.name in given]
    if not parts:
        raise UserError("no device of this fleet was given a study from here", "primetime fleet run --study quick")
    return see_through(parts, options)


def see_through(parts: Sequence[tuple[FleetDevice, Assignment]], options: argparse.Namespace) -> int:
    """Carry campaigns out on their boards at once; say what came of each."""
    from primetime.fleet.attending import Attending
    from primetime.fleet.carry_out import carry_out
    from primetime.fleet.pause import Pause
    from primetime.fleet.together import together

    pause = Pause()
    found = together(
        parts,
        lambda device, given: carry_out(device, given, Attending(teller(device.name), pause, with_meter)),
        pause,
    )
    if options.json:
        print(json.dumps({name: as_data(one) for name, one in found.items()}, indent=2))
    else:
        for name, one in found.items():
            if isinstance(one, Path):
                print(f"✓ {name:<12} {one}")
        if any(isinstance(one, Path) for one in found.values()):
            print("report them together: primetime fleet report")
    say_failures(found)
    return code_of(found)


def with_meter(given: Assignment, copy: Path) -> None:
    """Put what we recorded of a board's meter into a copy of its campaign."""
    from primetime.campaign.outside import merge
    from primetime.instruments.power.controller_log import read_log

    merge(copy, read_log(given.meter_log))


def report(devices: Sequence[FleetDevice], options: argparse.Namespace) -> int:
    """One report over the newest campaign of every device."""
    from primetime.cli.report import analysed, needing_analysis, write_pages
    from primetime.fleet.assignment import RUNS, latest

    given = latest([device.name for device in devices], study_name(options.study), here=True)
    campaigns = [one.campaign for one in given]
    for device in devices:
        if not any(one.device == device.name for one in given):
            print(f"{device.name}: there is no campaign of it here yet (primetime fleet run)", file=sys.stderr)
    if not campaigns:
        raise UserError("no campaign of this fleet is here yet", "primetime fleet run --study quick")
    if options.json:
        with needing_analysis():
            from primetime.report.json_report import json_text
        analyses = analysed(campaigns, None)
        print(json_text(analyses))
        if options.output:
            write_pages(analyses, options.output)
    else:
        names = sorted({one.name for one in given})
        show(campaigns, options.output or RUNS / f"fleet-{names[-1]}.html")
    return DONE if len(campaigns) == len(devices) else FAILED


def study_name(study: str | None) -> str:
    """A study's name as assignments know it: a file's name without its ending; "" for any."""
    return Path(study).stem if study and study.endswith(".toml") else study or ""


def teller(name: str) -> Callable[[str], None]:
    """What is said of one board, a line each, on stderr."""
    lock = threading.Lock()

    def tell(words: str) -> None:
        with lock:
            print(f"{time.strftime('%H:%M:%S')} {name:<12} {words}", file=sys.stderr, flush=True)

    return tell


def table(found: Outcomes) -> str:
    """Facts and environments as rows, boards as columns; below, why something is not simply usable."""
    good = {name: one for name, one in found.items() if not isinstance(one, PrimetimeError)}
    states = {name: {one["kind"]: one for one in examined["environments"]} for name, examined in good.items()}
    rows = [["", *good]]
    for fact in SHOWN:
        values = [examined["facts"].get(fact) for examined in good.values()]
        if any(value is not None for value in values):
            rows.append([fact, *("–" if value is None else said(value) for value in values)])
    for kind in dict.fromkeys(kind for kinds in states.values() for kind in kinds):
        cells = [kinds.get(kind) for kinds in states.values()]
        rows.append([kind, *(f"{MARKS[Usable(one['state'])]} {one['state']}" if one else "–" for one in cells)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    why = [f"{name} {one['controller_meter']}" for name, one in good.items() if "controller_meter" in one]
    why += [line for name, kinds in states.items() for one in kinds.values() for line in reasons(name, one)]
    return "\n".join([*lines, *([""] if why else []), *why])


def reasons(name: str, environment: Mapping[str, str]) -> list[str]:
    """Why an environment is not simply usable on a board, and what mends it."""
    if not environment["reason"]:
        return []
    remedy = f" → {environment['remedy']}" if environment["remedy"] else ""
    return [f"{name} {environment['kind']}: {environment['reason']}{remedy}"]


def say_failures(found: Outcomes) -> None:
    """A line on stderr for every board that gave nothing, and one for what mends it."""
    for name, one in found.items():
        if isinstance(one, PrimetimeError):
            print(f"✗ {name:<12} {one.message.removeprefix(f'{name}: ')}", file=sys.stderr)
            if isinstance(one, UserError) and one.hint:
                print(f"  hint: {one.hint}", file=sys.stderr)


def as_data(one: object) -> object:
    """The same for programs."""
    if isinstance(one, PrimetimeError):
        return {"error": one.message, "hint": one.hint if isinstance(one, UserError) else ""}
    return {"campaign": str(one)} if isinstance(one, Path) else one


def code_of(found: Outcomes) -> int:
    """0; 1 where some boards failed, or trials did; 2 where all failed by the user's mistake; 130 interrupted."""
    errors = [one for one in found.values() if isinstance(one, PrimetimeError)]
    if any(isinstance(one, Interrupted) for one in errors):
        return INTERRUPTED
    if errors and len(errors) == len(found) and all(isinstance(one, UserError) for one in errors):
        return USER_MISTAKE
    return FAILED if errors or any(has_failed_trials(one) for one in found.values() if isinstance(one, Path)) else DONE


def has_failed_trials(path: Path) -> bool:
    """Whether trials of a campaign failed."""
    with CampaignFile.open(path, write=False) as campaign:
        return campaign.counts().failed > 0
