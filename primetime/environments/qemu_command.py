"""QEMU's command line for one boot. Source: QEMU's own documentation of its invocation (7.2)."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from primetime.environments.base import BootContext
from primetime.environments.guest_words import guest_words
from primetime.errors import UserError
from primetime.model import Scalar

VHOST_NET = Path("/dev/vhost-net")
BLOCK_CACHE = {  # the study's word → (bypass the host's page cache, ignore flushes, the guest sees a write cache)
    "none": (True, False, True),
    "writeback": (False, False, True),
    "writethrough": (False, False, False),
    "directsync": (True, False, False),
    "unsafe": (False, True, True),
}
TRANSLATION_MIB = 128  # TCG's cache of translated code; unlimited it grows past any cap on the VMM
LATEST_MMIO = ("-global", "virtio-mmio.force-legacy=false")  # virtio 1, as on PCI; QEMU's default is the draft
NO_ROM = ",romfile="  # nobody boots from the card


@dataclass(frozen=True, slots=True)
class Machine:
    """What differs between machines. `package`: Debian's, with the program in it; `extra`: words for the kernel.

    `mmio`: virtio devices lie on the machine's own bus, each in a numbered slot, not on PCI.
    """

    program: str
    package: str
    machine: str
    serial: str
    emulated_cpu: str
    mmio: bool = False
    extra: str = ""


MACHINES = {
    "x86_64": Machine("qemu-system-x86_64", "qemu-system-x86", "q35", "ttyS0", "max"),
    "aarch64": Machine(
        "qemu-system-aarch64", "qemu-system-arm", "virt,gic-version=max", "ttyAMA0", "max,pauth-impdef=on"
    ),
}


def this_machine() -> Machine:
    """Return what fits this host. UserError on an architecture that has no images either."""
    named = platform.machine()
    if named not in MACHINES:
        raise UserError(f"there is no QEMU machine for {named}", "primetime runs on x86_64 and aarch64")
    return MACHINES[named]


def console_file(context: BootContext) -> Path:
    """Where the guest's serial console is written: a file, since a pipe's reader would slow the guest."""
    return context.directory / "console"


def agent_socket(context: BootContext) -> Path:
    """The host's end of the agent's serial port."""
    return context.directory / "agent.sock"


def monitor_socket(context: BootContext) -> Path:
    """QEMU's monitor."""
    return context.directory / "qmp.sock"


def qemu_argv(context: BootContext, machine: Machine, values: Mapping[str, Scalar]) -> list[str]:
    """Return the whole command line: nothing comes from configuration files or defaults."""
    images, limits = context.images, context.limits
    tcg = f"tcg,thread=multi,tb-size={TRANSLATION_MIB}"
    acceleration = (tcg, machine.emulated_cpu) if context.emulated else ("kvm", "host")
    return [
        machine.program, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
        "-name", context.name,
        "-machine", machine.machine,
        "-accel", acceleration[0],
        "-cpu", acceleration[1],
        "-smp", f"{limits.cpus},sockets=1,cores={limits.cpus},threads=1",
        "-m", f"size={limits.memory_bytes // 1024}k",
        "-kernel", str(images.kernel_image),
        "-initrd", str(images.initrd),
        "-append", kernel_command_line(context, machine),
        *(LATEST_MMIO if machine.mmio else ()),
        *disk(virtio(machine, "blk", 5), "root", images.disk, {"read-only": True}),
        *data_disk(virtio(machine, "blk", 4), context.volume, values),
        *network(virtio(machine, "net", 3), context, values),
        "-device", virtio(machine, "rng", 2),
        "-device", virtio(machine, "serial", 1),
        "-chardev", f"socket,id=agent,path={escaped(agent_socket(context))},server=on,wait=off",
        "-device", "virtserialport,chardev=agent,name=primetime",
        "-chardev", f"file,id=console,path={escaped(console_file(context))}",
        "-serial", "chardev:console",
        "-chardev", f"socket,id=qmp,path={escaped(monitor_socket(context))},server=on,wait=off",
        "-mon", "chardev=qmp,mode=control",
    ]  # fmt: skip


def virtio(machine: Machine, device: str, slot: int) -> str:
    """The name of a virtio device; on the machine's own bus with its slot.

    Linux counts the slots from the highest. No interrupt came out of slot 0 when it was tried (QEMU 7.2).
    """
    return f"virtio-{device}-device,bus=virtio-mmio-bus.{slot}" if machine.mmio else f"virtio-{device}-pci"


def kernel_command_line(context: BootContext, machine: Machine) -> str:
    """What the guest kernel and our init are told; with -no-reboot QEMU ends at a panic."""
    words = guest_words(context, machine.serial, "virtio-serial")
    return " ".join([*words, *([machine.extra] if machine.extra else [])])


def disk(driver: str, name: str, path: Path, options: Mapping[str, object], write_cache: str = "on") -> list[str]:
    """A raw file as a virtio-blk disk. `options` are block-layer options of the file."""
    backend = "host_device" if path.is_block_device() else "file"
    file = {"driver": backend, "filename": str(path), **options}
    node = {"driver": "raw", "node-name": f"{name}-disk", "read-only": bool(options.get("read-only")), "file": file}
    node.update({"cache": options["cache"]} if "cache" in options else {})
    device = f"{driver},id={name},drive={name}-disk,write-cache={write_cache}"
    return ["-blockdev", json.dumps(node), "-device", device]


def data_disk(driver: str, volume: Path, values: Mapping[str, Scalar]) -> list[str]:
    """The volume under test, with the study's cache mode and kind of asynchronous I/O."""
    direct, no_flush, write_cache = BLOCK_CACHE[str(values["cache"])]
    options = {"aio": str(values["aio"]), "cache": {"direct": direct, "no-flush": no_flush}}
    return disk(driver, "data", volume, options, "on" if write_cache else "off")


def network(driver: str, context: BootContext, values: Mapping[str, Scalar]) -> list[str]:
    """A virtio-net card on the tap; no card without one."""
    connection = context.connection
    if not connection.interface:
        return []
    vhost = "on" if uses_vhost(values) else "off"
    return [
        "-netdev", f"tap,id=net,ifname={connection.interface},script=no,downscript=no,vhost={vhost}",
        "-device", f"{driver},id=net0,netdev=net,mac={connection.mac}{NO_ROM if driver.endswith('pci') else ''}",
    ]  # fmt: skip


def uses_vhost(values: Mapping[str, Scalar]) -> bool:
    """Whether the host's kernel moves packets: as the study says, by default where it can."""
    return VHOST_NET.exists() if values["vhost"] == "auto" else values["vhost"] == "on"


def escaped(path: Path) -> str:
    """A path inside a comma-separated option."""
    return str(path).replace(",", ",,")
