"""`primetime bundle -o primetime.pyz`: the measuring half as one file, for devices without an installation."""

from __future__ import annotations

import argparse
from pathlib import Path

from primetime.cli import DONE
from primetime.images.bundle import write_bundle


def configure(parser: argparse.ArgumentParser) -> None:
    """Say what may be typed."""
    parser.add_argument("-o", "--output", type=Path, default=Path("primetime.pyz"), help="default: %(default)s")


def execute(options: argparse.Namespace) -> int:
    """Write it; print its SHA-256 and path as sha256sum does. Equal sources give equal bytes."""
    digest = write_bundle(options.output)
    print(f"{digest}  {options.output}")
    return DONE
