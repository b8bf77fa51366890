"""Combinations of a VMM and a host that are known not to work, or to give wrong figures, each with its source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from primetime.host.hypervisor import HypervisorHost, Version
from primetime.model import Scalar

PAGE = 4096
OLDEST_FIRECRACKER: Version = (1, 8)
OLDEST_OF: Mapping[str, tuple[Version, str]] = {  # setting → the first Firecracker that knows it
    "pci": ((1, 13), "--enable-pci"),
    "mtu": ((1, 16), "a network interface's mtu"),
}
BAD_TAP_KERNELS = ((6, 1, 103), (6, 1, 106))
ASYNC_KERNEL: Version = (5, 10, 51)
OWN_WORKERS_KERNEL: Version = (5, 12)
OLDEST_KERNEL: Version = (5, 10)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is known against a combination. `fatal`: it is refused, else a caveat."""

    reason: str
    remedy: str
    fatal: bool = True


def firecracker_troubles(host: HypervisorHost, version: Version, values: Mapping[str, Scalar]) -> Iterator[Trouble]:
    """Yield what is known against this Firecracker with these settings on this host."""
    yield from of_version(version, values)
    yield from of_pages(host, version)


def firecracker_host_troubles(host: HypervisorHost, values: Mapping[str, Scalar]) -> Iterator[Trouble]:
    """Yield what is known against any Firecracker with these settings on this host."""
    yield from of_kernel(host, values)
    if values["pci"] and host.gic == 2:
        reason = "pci = true needs GICv3 or x86: on this host's GICv2 every virtio device fails (mvm#3577)"
        yield Trouble(reason, "leave pci out: virtio over memory-mapped I/O works here")


def of_version(version: Version, values: Mapping[str, Scalar]) -> Iterator[Trouble]:
    """Yield what this release cannot do. Source: Firecracker's CHANGELOG."""
    named = dotted(version)
    if version < OLDEST_FIRECRACKER:
        reason = f"Firecracker {named} has no ACPI, by which a distribution's kernel finds its devices"
        yield Trouble(reason, f"use {dotted(OLDEST_FIRECRACKER)} or later: primetime tools install firecracker")
    for setting, (first, what) in OLDEST_OF.items():
        if values[setting] and version < first:
            reason = f"{setting}: Firecracker has {what} since {dotted(first)}, this is {named}"
            yield Trouble(reason, "primetime tools install firecracker")


def of_pages(host: HypervisorHost, version: Version) -> Iterator[Trouble]:
    """Yield what is known of pages that are not 4 KiB. Source: kernel-policy.md, firecracker#4905, #5217."""
    if host.page_bytes == PAGE:
        return
    pages = f"this host's kernel has pages of {host.page_bytes // 1024} KiB"
    remedy = "boot a kernel with 4 KiB pages (Raspberry Pi 5: kernel=kernel8.img in config.txt)"
    if version < (1, 13):
        yield Trouble(f"{pages}, with which Firecracker before 1.13 loses its network (#5217)", remedy)
    else:
        yield Trouble(f"{pages}; Firecracker supports 4 KiB only", remedy, fatal=False)


def of_kernel(host: HypervisorHost, values: Mapping[str, Scalar]) -> Iterator[Trouble]:
    """Yield what is known of the host's kernel. Source: firecracker#4795, block-io-engine.md, kernel-policy.md."""
    named = dotted(host.kernel)
    if BAD_TAP_KERNELS[0] <= host.kernel[:3] <= BAD_TAP_KERNELS[1]:
        reason = f"the host's kernel {named} breaks Firecracker's writes to its tap (6.1.103 to 6.1.106, #4795)"
        yield Trouble(reason, "upgrade the kernel to 6.1.107 or later")
    if values["io_engine"] == "Async" and host.kernel < ASYNC_KERNEL:
        reason = f'io_engine = "Async" needs a host kernel from {dotted(ASYNC_KERNEL)} on, this is {named}'
        yield Trouble(reason, 'use io_engine = "Sync", or a newer kernel')
    elif values["io_engine"] == "Async" and host.kernel < OWN_WORKERS_KERNEL:
        reason = f"on a kernel {named} io_uring's workers run outside the environment's cgroup: CPU is missing"
        yield Trouble(reason, "use a kernel from 5.12 on", fatal=False)
    if host.kernel < OLDEST_KERNEL:
        reason = f"Firecracker is tested on kernels from {dotted(OLDEST_KERNEL)} on, this is {named}"
        yield Trouble(reason, "use a newer kernel", fatal=False)


def cloud_hypervisor_troubles(host: HypervisorHost) -> Iterator[Trouble]:
    """Yield what is known against cloud-hypervisor on this host. Source: its README, cloud-hypervisor#6524."""
    if host.gic == 2:
        reason = "cloud-hypervisor needs GICv3 on Arm, and this host's interrupt controller is GICv2 (#6524)"
        yield Trouble(reason, "use firecracker or qemu on this device")


def dotted(version: Version) -> str:
    """(1, 16, 1) as "1.16.1"."""
    return ".".join(str(part) for part in version) or "of unknown version"
