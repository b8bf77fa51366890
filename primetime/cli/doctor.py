"""`primetime doctor`: what this device can run, what it cannot, why, and the command that mends it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace

from primetime.campaign.session import opened
from primetime.campaign.study_file import load_study
from primetime.cli import DONE
from primetime.cli.listeners import TerminalListener
from primetime.environments import kinds
from primetime.host.lock import require_root
from primetime.instruments.power import SUGGESTED, meters_found, resolves
from primetime.instruments.power.base import Meter
from primetime.model import EnvironmentSpec, Event, Fact, Scalar, Study, Usability, Usable

MARKS = {Usable.YES: "✓", Usable.CAVEAT: "~", Usable.NO: "✗"}
SMALL_VOLUME = 64 * 1024 * 1024
SHOWN = (
    "cpu.model", "cpu.count", "memory.total_bytes", "kernel.release", "os.name", "cgroup.version",
    "machine.emulated", "machine.kvm", "machine.vhost-net", "machine.vhost-vsock",
)  # fmt: skip


def configure(parser: argparse.ArgumentParser) -> None:
    """Say what may be typed."""
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def execute(options: argparse.Namespace) -> int:
    """Boot each kind once and say how it went."""
    require_root("doctor")
    listener = TerminalListener() if sys.stderr.isatty() and not options.json else ignore
    with opened(every_kind(), listener) as session:
        facts = session.device.facts()
        usability = session.usability
    meters = meters_found()
    if options.json:
        print(as_json(facts, usability, meters))
    else:
        print("\n".join([in_words(facts, usability), "", *meter_lines(meters)]))
    return DONE


def every_kind() -> Study:
    """The quick study with one environment of each kind, on a small volume."""
    study = load_study("quick")
    specs = tuple(EnvironmentSpec(kind, kind) for kind in kinds())
    return replace(study, environments=specs, volume=replace(study.volume, size_bytes=SMALL_VOLUME))


def ignore(event: Event) -> None:
    """A listener that hears nothing."""


def meter_lines(meters: Sequence[Meter]) -> list[str]:
    """A line per power meter that the device carries; where there is none, three that would do."""
    if meters:
        return [f"{MARKS[Usable.YES]} meter {one.kind:<12} {resolves(one)}" for one in meters]
    lines = ["this device has no power meter of its own; energy needs one, such as:"]
    return [*lines, *(f"    {words}" for words in SUGGESTED), "    (in the study: a table [meter.NAME], docs/power.md)"]


def as_json(facts: tuple[Fact, ...], usability: dict[str, Usability], meters: Sequence[Meter]) -> str:
    """{"facts": {name: value}, "environments": [{kind, state, reason, …}], "meters": [{kind, channels}]}."""
    environments = [{**asdict(found), "versions": dict(found.versions)} for found in usability.values()]
    shown = [{"kind": one.kind, "channels": [asdict(channel) for channel in one.channels()]} for one in meters]
    named = {fact.name: fact.value for fact in facts}
    return json.dumps({"facts": named, "environments": environments, "meters": shown}, indent=2)


def said(value: Scalar | None) -> str:
    """A fact's value for people."""
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def in_words(facts: tuple[Fact, ...], usability: dict[str, Usability]) -> str:
    """A few facts of the machine, then a line per environment with reason and remedy."""
    named = {fact.name: fact.value for fact in facts}
    lines = [f"{name:<20} {said(named[name])}" for name in SHOWN if named.get(name) is not None]
    for label, found in usability.items():
        versions = " ".join(f"{name} {version}" for name, version in found.versions.items())
        lines.append(f"{MARKS[found.state]} {label:<14} {found.state} {versions}".rstrip())
        if found.reason:
            lines.append(f"    {found.reason}")
        if found.remedy:
            lines.append(f"    → {found.remedy}")
    return "\n".join(lines)
