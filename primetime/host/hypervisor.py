"""What of this host decides which VMMs can run on it: its kernel's true version, page size, interrupt controller."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path

INTERRUPTS = Path("/proc/interrupts")
SIGNATURE = Path("/proc/version_signature")  # Ubuntu's kernels say here which stable release they hold
Version = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class HypervisorHost:
    """`kernel`: the stable release that it is built from, (6, 1, 106); `gic`: 2, 3 or 0 for none."""

    kernel: Version
    page_bytes: int
    gic: int


def hypervisor_host() -> HypervisorHost:
    """Read this host."""
    signature = SIGNATURE.read_text(encoding="utf-8") if SIGNATURE.exists() else ""
    return HypervisorHost(
        kernel=stable_release(platform.release(), platform.version(), signature),
        page_bytes=os.sysconf("SC_PAGE_SIZE"),
        gic=gic_version(INTERRUPTS.read_text(encoding="ascii", errors="replace")),
    )


def stable_release(release: str, version: str, signature: str = "") -> Version:
    """Return the stable release of a kernel from `uname -r`, `uname -v` and Ubuntu's signature.

    Distributions keep the ABI's name in the release ("6.1.0-25-amd64") and say elsewhere what it holds:
    Debian in the version ("… Debian 6.1.106-3 (2024-08-26)"), Ubuntu as the signature's last word.
    """
    debian = re.search(r"Debian (\d+(?:\.\d+)+)", version)
    words = signature.split()
    return parse_version(debian[1] if debian else words[-1] if words else release)


def parse_version(text: str) -> Version:
    """Return the leading numbers of a version: "v1.16.1-dev" gives (1, 16, 1); () when there are none."""
    found = re.match(r"v?(\d+(?:\.\d+)*)", text)
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def gic_version(interrupts: str) -> int:
    """Return the version of Arm's interrupt controller that /proc/interrupts names; 0 where it names none.

    Linux calls the chip GICv3 or GICv2, and before 5.12 the second GIC-0. Source: drivers/irqchip/irq-gic*.c.
    """
    if "GICv3" in interrupts:
        return 3
    return 2 if re.search(r"\bGICv2\b|\bGIC-0\b", interrupts) else 0
