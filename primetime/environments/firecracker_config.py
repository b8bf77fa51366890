"""What Firecracker is told: one JSON file and a command line. Source: Firecracker's firecracker.yaml (1.16)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from primetime.environments.base import BootContext
from primetime.environments.guest_words import guest_words
from primetime.environments.vsock import AGENT_PORT, GUEST_CID
from primetime.model import Scalar

SERIAL = "ttyS0"  # on both architectures
# x86: the one reset that Firecracker listens to, and, as in its own default, no search for a mouse; Arm ignores these
KEYBOARD = "reboot=k i8042.noaux i8042.nomux i8042.dumbkbd"
REFILL_MS = 100  # a token bucket as small as this keeps to its rate within a sampling interval of ours
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Places:
    """Where things lie as Firecracker sees them. `root`: what its / is on the host; `own`: for its own files."""

    root: Path
    own: Path
    kernel: Path
    initrd: Path
    userland: Path
    volume: Path

    def on_host(self, name: str) -> Path:
        """One of its own files, as the host sees it."""
        return self.root / self.own.relative_to("/") / name


CONFIG, API, METRICS, LOG, VSOCK = "vm.json", "api.sock", "metrics.json", "firecracker.log", "vsock.sock"


def unjailed(context: BootContext, kernel: Path) -> Places:
    """Without a jail everything lies where the host has it."""
    images = context.images
    return Places(Path("/"), context.directory, kernel, images.initrd, images.disk, context.volume)


def machine_config(context: BootContext, places: Places, values: Mapping[str, Scalar]) -> Json:
    """Return the whole configuration. The first drive is the guest's /dev/vda, the second /dev/vdb."""
    limits = context.limits
    config: Json = {
        "boot-source": {
            "kernel_image_path": str(places.kernel),
            "initrd_path": str(places.initrd),
            "boot_args": " ".join([*guest_words(context, SERIAL, f"vsock:{AGENT_PORT}"), KEYBOARD]),
        },
        "machine-config": {
            "vcpu_count": limits.cpus,
            "mem_size_mib": limits.memory_bytes >> 20,
            "smt": False,
            "track_dirty_pages": False,
            "huge_pages": str(values["huge_pages"]),
        },
        "drives": [
            drive("root", places.userland, is_read_only=True),
            drive("data", places.volume, **tested(values)),
        ],
        "network-interfaces": network(context, values),
        "vsock": {"guest_cid": GUEST_CID, "uds_path": str(places.own / VSOCK)},
    }
    config.update({"metrics": {"metrics_path": str(places.own / METRICS)}} if values["metrics"] else {})
    config.update({"entropy": {}} if values["entropy"] else {})
    return config


def drive(name: str, path: Path, **how: object) -> Json:
    """A raw file or block device as a virtio-blk disk; our init mounts it, so it is no root device to Firecracker."""
    return {"drive_id": name, "path_on_host": str(path), "is_root_device": False, "is_read_only": False, **how}


def tested(values: Mapping[str, Scalar]) -> Json:
    """How the volume under test is attached."""
    limiter = rate_limiter(int(values["disk_bandwidth"]), int(values["disk_ops"]))
    how = {"cache_type": str(values["cache_type"]), "io_engine": str(values["io_engine"])}
    return {**how, **({"rate_limiter": limiter} if limiter else {})}


def network(context: BootContext, values: Mapping[str, Scalar]) -> list[Json]:
    """A virtio-net card on the tap; none without one."""
    connection = context.connection
    if not connection.interface:
        return []
    limiter = rate_limiter(int(values["net_bandwidth"]), 0)
    card: Json = {"iface_id": "eth0", "host_dev_name": connection.interface, "guest_mac": connection.mac}
    card.update({"mtu": values["mtu"]} if values["mtu"] else {})
    card.update({"rx_rate_limiter": limiter, "tx_rate_limiter": limiter} if limiter else {})
    return [card]


def rate_limiter(bandwidth: int, operations: int) -> Json:
    """Token buckets for bytes and operations per second; empty without limits."""
    limits = {"bandwidth": bandwidth, "ops": operations}
    return {
        name: {"size": max(1, rate * REFILL_MS // 1000), "refill_time": REFILL_MS}
        for name, rate in limits.items()
        if rate
    }


def write_config(context: BootContext, places: Places, values: Mapping[str, Scalar]) -> None:
    """Write the configuration where Firecracker will read it."""
    text = json.dumps(machine_config(context, places, values), indent=1)
    places.on_host(CONFIG).write_text(text, encoding="utf-8")


def firecracker_words(places: Places, values: Mapping[str, Scalar]) -> list[str]:
    """Return what stands behind Firecracker's name: it boots at once, and can be asked for its metrics."""
    words = ["--api-sock", str(places.own / API), "--config-file", str(places.own / CONFIG)]
    words += ["--log-path", str(places.own / LOG), "--level", str(values["log_level"]), "--show-level"]
    return [*words, *(["--enable-pci"] if values["pci"] else [])]
