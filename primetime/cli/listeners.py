"""Listeners for people and programs: what the runner tells, on a terminal or as JSON lines."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from typing import TextIO

from primetime.errors import Interrupted
from primetime.model import (
    BlockStarted,
    BootEnded,
    BootStatus,
    CampaignEnded,
    CampaignStarted,
    EnvironmentSurveyed,
    Event,
    StepStarted,
    TrialEnded,
    TrialStatus,
    Usable,
)


class TerminalListener:
    """One line per thing worth knowing, on stderr, so that stdout stays for results."""

    def __init__(self, out: TextIO | None = None) -> None:
        self.out = out or sys.stderr

    def __call__(self, event: Event) -> None:
        line = in_words(event)
        if line:
            tell(line, self.out)


class JsonListener:
    """One JSON object per event on stdout: {"event": "TrialEnded", …}."""

    def __call__(self, event: Event) -> None:
        tell(json.dumps({"event": type(event).__name__, **asdict(event)}, default=str), sys.stdout)


def tell(line: str, out: TextIO) -> None:
    """Print a line at once. Interrupted where its reader went away: a campaign must not end as if it were done."""
    try:
        print(line, file=out, flush=True)
    except BrokenPipeError:
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, out.fileno())  # what is said while the boot is undone is for nobody
        os.close(silence)
        raise Interrupted("the reader of its output went away") from None


def in_words(event: Event) -> str:
    """A line for a person; "" for what a person need not see."""
    match event:
        case StepStarted(what):
            return f"· {what}"
        case CampaignStarted():
            verb = "resuming" if event.resumed else "campaign"
            return (
                f"{verb} {event.path}: study {event.study}, seed {event.seed}, about {duration(event.estimate.seconds)}"
            )
        case EnvironmentSurveyed(state=Usable.YES):
            return ""
        case EnvironmentSurveyed():
            remedy = f" ({event.remedy})" if event.remedy else ""
            return f"! {event.environment} is {event.state}: {event.reason}{remedy}"
        case BlockStarted():
            return f"block {event.block} of at most {event.of}: {event.boots} boots, about {duration(event.eta_s)} left"
        case TrialEnded(status=TrialStatus.DONE):
            return f"  [{event.done}/{event.of}] {event.environment:<12} {event.point:<28} {event.figure}"
        case TrialEnded():
            return (
                f"  [{event.done}/{event.of}] {event.environment:<12} {event.point:<28} {event.status}: {event.reason}"
            )
        case BootEnded(status=BootStatus.FAILED):
            return f"! boot {event.boot} of {event.slot.environment} failed: {event.reason}"
        case CampaignEnded():
            return f"campaign {event.state}: {event.failed} failed, {event.skipped} skipped; {event.path}"
        case _:
            return ""


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
