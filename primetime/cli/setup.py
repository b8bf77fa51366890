"""`primetime setup`: install what measuring needs and build the images."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Sequence

from primetime.campaign.setup_packages import Need, install, install_command, lab_needs, missing, needs
from primetime.cli import DONE
from primetime.errors import UserError
from primetime.host.process import find_program
from primetime.images.cache import Cache
from primetime.images.guest import build_guest_images


def configure(parser: argparse.ArgumentParser) -> None:
    """Say what may be typed."""
    parser.add_argument("--yes", action="store_true", help="install without asking")
    parser.add_argument("--lab", action="store_true", help="also what emulated boards need (primetime lab)")


def execute(options: argparse.Namespace) -> int:
    """Install what is missing, build what is not cached; nothing to do is quick and changes nothing."""
    lacking = missing((*needs(), *lab_needs()) if options.lab else needs())
    if lacking:
        require_means(lacking, has_apt=find_program("apt-get") is not None, is_root=os.geteuid() == 0)
        announce(lacking)
        if not options.yes:
            ask()
        install(lacking, say)
    cache = Cache()
    images = build_guest_images(cache, platform.machine(), {}, lambda part: say(f"images: {part}"))
    say(f"ready: guest kernel {images.kernel_version}, images in {cache.root}")
    return DONE


def require_means(lacking: Sequence[Need], *, has_apt: bool, is_root: bool) -> None:
    """UserError when we cannot install: the hint is what the user can."""
    if not has_apt:
        programs = ", ".join(name for need in lacking for name in (*need.programs, *map(str, need.files)))
        raise UserError(
            f"there is no apt-get here and this is missing: {programs}",
            "install these with the system's own package manager, then again: primetime setup",
        )
    if not is_root:
        raise UserError("installing packages needs root", f"run: sudo {install_command(lacking)}")


def announce(lacking: Sequence[Need]) -> None:
    """Print what will be installed and why."""
    say("to be installed with apt-get:")
    for need in lacking:
        say(f"  {need.package:<24} {need.purpose}")


def ask() -> None:
    """Ask the user; UserError when there is nobody to ask, or the answer is no."""
    if not sys.stdin.isatty():
        raise UserError("there is nobody to ask whether to install these", "primetime setup --yes")
    if input("Install them? [y/N] ").strip().lower() not in ("y", "yes"):
        raise UserError("nothing was installed", "primetime setup")


def say(words: str) -> None:
    """A line at once, also into a pipe."""
    print(words, flush=True)
