"""`primetime doctor`: what this device can run, what it cannot, why, and the command that mends it."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, replace

from primetime.campaign.session import opened
from primetime.campaign.study_file import load_study
from primetime.cli import DONE
from primetime.cli.listeners import TerminalListener
from primetime.environments import kinds
from primetime.host.lock import require_root
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
    print(as_json(facts, usability) if options.json else in_words(facts, usability))
    return DONE


def every_kind() -> Study:
    """The quick study with one environment of each kind, on a small volume."""
    study = load_study("quick")
    specs = tuple(EnvironmentSpec(kind, kind) for kind in kinds())
    return replace(study, environments=specs, volume=replace(study.volume, size_bytes=SMALL_VOLUME))


def ignore(event: Event) -> None:
    """A listener that hears nothing."""


def as_json(facts: tuple[Fact, ...], usability: dict[str, Usability]) -> str:
    """{"facts": {name: value}, "environments": [{kind, state, reason, remedy, versions, emulated}]}."""
    environments = [{**asdict(found), "versions": dict(found.versions)} for found in usability.values()]
    return json.dumps({"facts": {fact.name: fact.value for fact in facts}, "environments": environments}, indent=2)


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
