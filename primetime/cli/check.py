"""`primetime check CAMPAIGN`: every rule of the contract that this campaign breaks, with its figures."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from primetime.cli import DONE, FAILED
from primetime.cli.report import analysed
from primetime.model import QualityWarning, Severity


def configure(parser: argparse.ArgumentParser) -> None:
    """Say what may be typed."""
    parser.add_argument("campaign", type=Path, help="the campaign file")
    parser.add_argument("--json", action="store_true", help="one JSON array on stdout")


def execute(options: argparse.Namespace) -> int:
    """Print the warnings; exit code 1 when one of them forbids a verdict."""
    [analysis] = analysed([options.campaign], None)
    warnings = analysis.warnings
    print(as_json(warnings) if options.json else in_words(warnings))
    return FAILED if any(one.severity is Severity.FORBIDS for one in warnings) else DONE


def as_json(warnings: tuple[QualityWarning, ...]) -> str:
    """[{id, severity, scope, sentence, figures}]."""
    return json.dumps([{**asdict(one), "figures": dict(one.figures)} for one in warnings], indent=2, ensure_ascii=False)


def in_words(warnings: tuple[QualityWarning, ...]) -> str:
    """A line per warning, the gravest first; equal sentences once."""
    lines = dict.fromkeys(f"{one.severity:<16} {one.id:<22} {one.sentence}" for one in warnings)
    return "\n".join(lines) if lines else "every check passes"
