"""The boards that can be emulated, and how large one may be on this host."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from primetime.errors import UserError
from primetime.host.memory import MEMINFO, parse_meminfo

GIB = 1 << 30
STABLE_QEMU = 10  # before it, an x86 board with two CPUs panics under load ("Oops: int3"): reference run, 2 of 4
MEMORY_SHARE = 2  # a board gets at most half of the host's memory


@dataclass(frozen=True, slots=True)
class Emulator:
    """QEMU for one architecture. `package`: Debian's, with the program in it; `serial`: the kernel's name of it."""

    architecture: str  # Debian's name
    program: str
    package: str
    serial: str
    modern_cpus: int  # most CPUs on a QEMU older than STABLE_QEMU; 0: no limit


AMD64 = Emulator("amd64", "qemu-system-x86_64", "qemu-system-x86", "ttyS0", 1)
ARM64 = Emulator("arm64", "qemu-system-aarch64", "qemu-system-arm", "ttyAMA0", 0)
GICV2 = "virt,virtualization=on,gic-version=2"  # EL2 and the interrupt controller of these boards


@dataclass(frozen=True, slots=True)
class Profile:
    """A kind of board. `machine` and `cpu` are QEMU's words."""

    name: str
    likeness: str
    emulator: Emulator
    machine: str
    cpu: str
    cpus: int
    memory_bytes: int


PROFILES: Mapping[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile("pi4", "Raspberry Pi 4, 4 GB", ARM64, GICV2, "cortex-a72", 4, 4 * GIB),
        Profile("pi8", "Raspberry Pi 4, 8 GB", ARM64, GICV2, "cortex-a72", 4, 8 * GIB),
        Profile("nano2", "Jetson Nano, 2 GB", ARM64, GICV2, "cortex-a57", 4, 2 * GIB),
        Profile("nano4", "Jetson Nano, 4 GB", ARM64, GICV2, "cortex-a57", 4, 4 * GIB),
        Profile("x86", "x86-64 gateway with SVM", AMD64, "q35", "EPYC,+svm,+npt", 4, 4 * GIB),
    )
}


@dataclass(frozen=True, slots=True)
class Host:
    """What this machine can give."""

    cpus: int
    memory_bytes: int
    qemu_major: int


@dataclass(frozen=True, slots=True)
class Size:
    """How large a board is here. `clamps`: a sentence for everything that is less than the profile says."""

    cpus: int
    memory_bytes: int
    clamps: tuple[str, ...] = ()


def profile(name: str) -> Profile:
    """Return a profile by name; UserError with the names there are."""
    if name not in PROFILES:
        raise UserError(f"there is no profile {name}", f"the profiles are {', '.join(PROFILES)}")
    return PROFILES[name]


def fitted(wanted: Profile, host: Host) -> Size:
    """Return the size of a board on this host, and say what was clamped."""
    clamps = []
    cpus = min(wanted.cpus, host.cpus)
    if cpus < wanted.cpus:
        clamps.append(f"{cpus} instead of {wanted.cpus} CPUs, as many as this host has")
    most = wanted.emulator.modern_cpus
    if most and host.qemu_major < STABLE_QEMU and cpus > most:
        cpus = most
        clamps = [f"{cpus} instead of {wanted.cpus} CPUs: with more its kernel panics on QEMU {host.qemu_major}"]
    memory = min(wanted.memory_bytes, host.memory_bytes // MEMORY_SHARE >> 20 << 20)
    if memory < wanted.memory_bytes:
        clamps.append(f"{memory >> 20} instead of {wanted.memory_bytes >> 20} MiB, half of this host's memory")
    return Size(cpus, memory, tuple(clamps))


def this_host(qemu_major: int) -> Host:
    """Return what this machine can give."""
    return Host(os.cpu_count() or 1, parse_meminfo(MEMINFO.read_bytes())["MemTotal"], qemu_major)
