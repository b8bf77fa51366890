"""`primetime bundle -o primetime.pyz`: the measuring half as one file, for devices without an installation."""

from __future__ import annotations

import argparse
from pathlib import Path

from primetime.cli import DONE
from primetime.errors import UserError
from primetime.images.bundle import write_bundle
from primetime.images.cache import Cache
from primetime.images.debian import debian_architecture
from primetime.images.file_program import COMPILERS, file_program


def configure(parser: argparse.ArgumentParser) -> None:
    """Say what may be typed."""
    parser.add_argument("-o", "--output", type=Path, default=Path("primetime.pyz"), help="default: %(default)s")
    parser.add_argument(
        "--files-for",
        action="append",
        default=[],
        metavar="ARCHITECTURE",
        help="bring the program of the workload files compiled, for devices without a compiler: amd64, arm64",
    )


def execute(options: argparse.Namespace) -> int:
    """Write it; print its SHA-256 and path as sha256sum does. Equal sources give equal bytes."""
    architectures = [debian_architecture(name) for name in options.files_for]
    digest = write_bundle(options.output, {name: compiled(name) for name in architectures})
    print(f"{digest}  {options.output}")
    return DONE


def compiled(architecture: str) -> bytes:
    """Return the file program; UserError where this machine cannot make it."""
    program = file_program(Cache(), architecture)
    if program is None:
        compiler = COMPILERS[architecture]
        package = f"gcc-{compiler.removesuffix('-gcc').replace('_', '-')}"
        words = f"the file program cannot be compiled for {architecture}: {compiler} or its static C library is missing"
        raise UserError(words, f"apt-get install {package}")
    return program.read_bytes()
