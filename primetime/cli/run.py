"""`primetime run STUDY`: the main job."""

from __future__ import annotations

import argparse
from pathlib import Path

from primetime.campaign.session import begin, default_path
from primetime.campaign.study_file import load_study
from primetime.cli.ending import finish, resumable
from primetime.cli.listeners import JsonListener, TerminalListener


def configure(parser: argparse.ArgumentParser) -> None:
    """Say what may be typed."""
    parser.add_argument("study", help="a shipped study's name (quick) or the path of a .toml file")
    parser.add_argument("-o", "--output", type=Path, help="campaign file (default runs/<study>-<UTC time>.sqlite)")
    parser.add_argument("--smoke", action="store_true", help="every cell once, one-second trials, no verdicts")
    parser.add_argument("--seed", type=int, help="seed of the plan (default: a random one, stored)")
    parser.add_argument("--json", action="store_true", help="one JSON object per event on stdout")


def execute(options: argparse.Namespace) -> int:
    """Run the study; end with the table where analysis is installed, else with the report command."""
    study = load_study(options.study, smoke=options.smoke)
    path = options.output or default_path(study)
    with resumable(path):
        begin(study, path, options.seed, JsonListener() if options.json else TerminalListener())
    return finish(path, quiet=options.json)
