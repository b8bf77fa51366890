"""primetime export: a campaign as CSV, JSON or Parquet, one file per view."""

from __future__ import annotations

import argparse
from pathlib import Path

from primetime.cli import DONE
from primetime.store.export import FORMATS, export


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare what the verb takes."""
    parser.description = "Write every view of a campaign file (docs/campaign-file.md) to a file of its own."
    parser.add_argument("campaign", type=Path, metavar="CAMPAIGN", help="a campaign file (.sqlite)")
    parser.add_argument(
        "--format", choices=FORMATS, required=True, help="parquet needs pip install 'primetime[parquet]'"
    )
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", required=True, help="a new or empty directory")


def execute(options: argparse.Namespace) -> int:
    """Write the files and name them; return the exit code."""
    for path in export(options.campaign, options.output, options.format):
        print(path)
    return DONE
