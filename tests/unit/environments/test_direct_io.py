"""Every environment says whether direct I/O inside goes past the host's page cache, with its settings."""

from __future__ import annotations

import pytest

from primetime.environments import environment, kinds
from primetime.model import EnvironmentSpec, Scalar

VIRTIO_FS = {"snapshotter": "overlayfs", "shared_fs": "virtio-fs"}
SAID: list[tuple[str, dict[str, Scalar], bool | None]] = [
    ("native", {}, True),
    ("runc", {}, True),
    ("runc", {"storage": "bind"}, True),
    ("crun", {}, True),
    ("docker", {}, True),
    ("containerd-runc", {}, True),
    ("containerd-runc", {"snapshotter": "devmapper"}, True),
    ("gvisor", {}, False),
    ("gvisor", {"overlay2": "root:self", "storage": "overlay"}, False),
    *((kind, {"cache": "none"}, True) for kind in ("qemu", "qemu-microvm", "runc-in-vm")),
    *((kind, {"cache": "directsync"}, True) for kind in ("qemu", "qemu-microvm", "runc-in-vm")),
    *((kind, {"cache": "writeback"}, False) for kind in ("qemu", "qemu-microvm", "runc-in-vm")),
    *((kind, {"cache": "writethrough"}, False) for kind in ("qemu", "qemu-microvm", "runc-in-vm")),
    *((kind, {"cache": "unsafe"}, False) for kind in ("qemu", "qemu-microvm", "runc-in-vm")),
    ("firecracker", {"cache_type": "Writeback"}, False),
    ("firecracker", {"cache_type": "Unsafe", "io_engine": "Async"}, False),
    ("cloud-hypervisor", {}, False),
    ("cloud-hypervisor", {"direct": True}, True),
    ("kata", {"hypervisor": "qemu"}, True),
    ("kata", {"hypervisor": "clh"}, True),
    ("kata", {"hypervisor": "fc"}, False),
    ("kata", {"cache": "unsafe"}, False),
    ("kata", {"cache": "kata-default"}, None),  # its own files say, and each boot proves
    ("kata", {"hypervisor": "fc", "cache": "kata-default"}, False),
    ("kata", VIRTIO_FS, False),
    ("kata", {**VIRTIO_FS, "hypervisor": "dragonball"}, None),
]


@pytest.mark.parametrize(("kind", "settings", "bypasses"), SAID)
def test_what_a_member_says_of_itself(kind: str, settings: dict[str, Scalar], bypasses: bool | None) -> None:
    assert environment(EnvironmentSpec("x", kind, settings)).bypasses_host_cache() is bypasses


def test_no_kind_is_forgotten() -> None:
    assert {kind for kind, _, _ in SAID} == set(kinds())
