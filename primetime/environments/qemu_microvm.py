"""A virtual machine by QEMU's microvm: no PCI, no legacy devices but a serial port, virtio over memory-mapped I/O.

    [environments.qemu-microvm]
    cache = "none"        # or writeback, writethrough, directsync, unsafe: the host's cache of the data disk
    aio = "threads"       # or native (with cache none or directsync), io_uring
    vhost = "auto"        # or on, off: the network's data path in the host's kernel
    vmm_outside = false   # true: only the vCPUs keep to the CPU limit: a named variant

x86-64 only. Its devices are told to the guest by ACPI, since Debian's kernel does not read them from its
command line. With KVM where it works; otherwise emulated by TCG, which says nothing about speed. Then the
guest is told the rate of its time stamp counter, which is the host's: KVM has a clock that says it, TCG has
none, and the one timer of the machine is measured wrongly, or not at all, on a CPU that is shared.
Its second interrupt controller is left out: with it, on QEMU 10 and KVM, the serial port's interrupts were seen to
get lost, and a guest hung at the first line that its userland wrote. Eight devices are enough.
Source: QEMU's own documentation of the machine (system/i386/microvm, 7.2).
"""

from __future__ import annotations

import platform
from dataclasses import replace
from pathlib import Path

from primetime.environments.qemu import Qemu
from primetime.environments.qemu_command import MACHINES, Machine
from primetime.model import Usability, Usable

ARCHITECTURE = "x86_64"
RESET = "reboot=t"  # a triple fault: the machine has no other way to end, and -no-reboot makes it an exit
COUNTER = "tsc=reliable tsc_early_khz="  # not doubted when ticks of the timer, its only witness, are lost
CPUINFO = Path("/proc/cpuinfo")
MICROVM = replace(
    MACHINES[ARCHITECTURE],
    machine="microvm,acpi=on,isa-serial=on,ioapic2=off",
    mmio=True,
    extra=RESET,
)


class QemuMicrovm(Qemu):
    """See the module."""

    kind = "qemu-microvm"
    summary = "a microVM by QEMU"

    def machine(self) -> Machine:
        rate = counter_khz(CPUINFO.read_text(encoding="utf-8")) if self.emulated else 0
        return replace(MICROVM, extra=f"{RESET} {COUNTER}{rate}") if rate else MICROVM

    def missing(self) -> Usability | None:
        return missing_on(platform.machine()) or super().missing()


def missing_on(architecture: str) -> Usability | None:
    """Say that this architecture has no such machine; None where it has. `architecture`: the kernel's name."""
    if architecture == ARCHITECTURE:
        return None
    reason = f"QEMU has the machine microvm for {ARCHITECTURE} only, not for {architecture}"
    return Usability(QemuMicrovm.kind, Usable.NO, reason, "use the kind qemu here")


def counter_khz(cpuinfo: str) -> int:
    """Return the rate that /proc/cpuinfo gives for the first CPU, in kHz; 0 where it gives none.

    That is the time stamp counter's where the frequency does not change. Where it does, the guest's clock is
    wrong, and the runner's comparison of clocks fails the trial (contract §4).
    """
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "cpu MHz":
            return round(float(value) * 1000)
    return 0
