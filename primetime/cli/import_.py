"""`primetime import fio|netperf|iperf3 FILES --map PATTERN -o CAMPAIGN`: the same analysis over foreign raw files."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from primetime.campaign.foreign import Foreign, import_campaign
from primetime.campaign.foreign_tools import TOOLS
from primetime.cli.ending import finish


def configure(parser: argparse.ArgumentParser) -> None:
    """Say what may be typed."""
    parser.add_argument("tool", choices=TOOLS, help="what wrote the files: fio JSON, netperf -k, iperf3 --json")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="raw outputs, or directories of them")
    parser.add_argument(
        "--map",
        required=True,
        metavar="PATTERN",
        help="file names with {environment}, {run} and other fields in braces, * for anything: "
        "'fio-{environment}-rand-{rw}-{bs}*.json'",
    )
    parser.add_argument("--baseline", metavar="ENV", default="", help="the environment that the others stand against")
    parser.add_argument("-o", "--output", type=Path, metavar="CAMPAIGN", required=True, help="a new campaign file")


def execute(options: argparse.Namespace) -> int:
    """Write the campaign; end with its table where analysis is installed."""
    foreign = Foreign(options.tool, options.files, options.map, options.baseline)
    for path in import_campaign(foreign, options.output):
        print(f"left out: {path.name} does not fit --map", file=sys.stderr)
    return finish(options.output, quiet=False)
