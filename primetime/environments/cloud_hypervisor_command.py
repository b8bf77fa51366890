"""cloud-hypervisor's command line for one boot. Source: its docs/device_model.md and --help (53.0)."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path

from primetime.environments.base import BootContext
from primetime.environments.guest_words import PANIC_STAYS, guest_words
from primetime.environments.vsock import AGENT_PORT, GUEST_CID
from primetime.errors import BootFailed
from primetime.model import Scalar

SERIAL = {"x86_64": "ttyS0", "aarch64": "ttyAMA0"}
CONSOLE, API, VSOCK, LOG = "console", "api.sock", "vsock.sock", "cloud-hypervisor.log"
OFFLOADS = ("offload_tso", "offload_ufo", "offload_csum")
SEPARATORS = ",=[]"  # of its option parser, which knows no escape


def cloud_hypervisor_argv(program: Path, kernel: Path, context: BootContext, values: Mapping[str, Scalar]) -> list[str]:
    """Return the whole command line. The first disk is the guest's /dev/vda, the second /dev/vdb."""
    limits, own = context.limits, context.directory
    words = guest_words(context, SERIAL[platform.machine()], f"vsock:{AGENT_PORT}", PANIC_STAYS)
    return [
        str(program),
        "--api-socket", option(own / API),
        "--log-file", str(own / LOG),
        "--kernel", str(kernel),
        "--initramfs", str(context.images.initrd),
        "--cmdline", " ".join(words),
        "--cpus", f"boot={limits.cpus}",
        "--memory", memory(limits.memory_bytes, bool(values["hugepages"])),
        "--disk", root_disk(context.images.disk), data_disk(context.volume, values),
        *network(context, values),
        "--vsock", f"cid={GUEST_CID},socket={option(own / VSOCK)}",
        "--rng", "src=/dev/urandom",
        "--console", "off",
        "--serial", f"file={option(own / CONSOLE)}",
    ]  # fmt: skip


def memory(size: int, hugepages: bool) -> str:
    """The guest's memory, in bytes; on huge pages of 2 MiB where the study wants them."""
    return f"size={size}" + (",hugepages=on,hugepage_size=2M" if hugepages else "")


def root_disk(userland: Path) -> str:
    """The userland, read-only."""
    return f"path={option(userland)},readonly=on,image_type=raw,id=root"


def data_disk(volume: Path, values: Mapping[str, Scalar]) -> str:
    """The volume under test, with the study's way to it."""
    words = [f"path={option(volume)}", "image_type=raw", "id=data", f"direct={switch(values['direct'])}"]
    words += [f"num_queues={values['queues']}", f"queue_size={values['queue_size']}"]
    words += ["_disable_io_uring=on"] if not values["io_uring"] else []
    return ",".join(words)


def network(context: BootContext, values: Mapping[str, Scalar]) -> list[str]:
    """A virtio-net card on the tap, a pair of queues; no card without one."""
    connection = context.connection
    if not connection.interface:
        return []
    words = [f"tap={connection.interface}", f"mac={connection.mac}", "id=net0"]
    words += [f"{name}={switch(values[name])}" for name in OFFLOADS]
    words += [f"mtu={values['mtu']}"] if values["mtu"] else []
    return ["--net", ",".join(words)]


def switch(value: Scalar) -> str:
    """A flag in its words."""
    return "on" if value else "off"


def option(path: Path) -> str:
    """A path inside an option. BootFailed for one that would end it."""
    if any(sign in str(path) for sign in SEPARATORS):
        raise BootFailed(
            "command line", f"cloud-hypervisor cannot take the path {str(path)!r}: it has one of {SEPARATORS}"
        )
    return str(path)
