"""What lies in the initrd."""

from __future__ import annotations

import gzip
from pathlib import Path

from primetime.images.cache import Cache
from primetime.images.initrd import guest_initrd, initrd_members
from primetime.images.kernel import Kernel
from primetime.images.modules import Module
from primetime.images.userland import package_data


def test_modules_are_listed_in_their_order() -> None:
    modules = [Module("b", b"1", ()), Module("a", b"2", ("b",))]
    members = {member.name: member for member in initrd_members(b"busybox", modules)}
    assert members["modules/order"].content == b"b.ko\na.ko\n"
    assert members["modules/a.ko"].content == b"2"
    assert members["busybox"].mode & 0o111


def test_equal_parts_give_equal_images(tmp_path: Path) -> None:
    busybox = tmp_path / "busybox"
    busybox.write_bytes(b"busybox")
    kernel = Kernel(tmp_path / "image", None, None, None, "6.12", "hash", "package")
    first = guest_initrd(Cache(tmp_path / "one"), kernel, busybox)
    second = guest_initrd(Cache(tmp_path / "two"), kernel, busybox)
    assert first.image.read_bytes() == second.image.read_bytes()
    assert first.agent.read_bytes() == package_data("agent.py")
    assert package_data("init") in gzip.decompress(first.image.read_bytes())


def test_another_kernel_gets_another_initrd(tmp_path: Path) -> None:
    busybox = tmp_path / "busybox"
    busybox.write_bytes(b"busybox")
    cache = Cache(tmp_path / "cache")
    kernels = [Kernel(tmp_path / "image", None, None, None, "6.12", digest, "package") for digest in ("one", "two")]
    assert guest_initrd(cache, kernels[0], busybox).image != guest_initrd(cache, kernels[1], busybox).image
