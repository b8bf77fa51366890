"""Which modules are loaded, in which order."""

from __future__ import annotations

import gzip
import lzma
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primetime.errors import UserError
from primetime.images.modules import ModuleTree, guest_modules, modinfo, soft_dependencies

KEYS = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
VALUES = st.from_regex(r"[a-z,=]{0,9}", fullmatch=True)


def module(*info: str) -> bytes:
    """A 64-bit ELF with a .modinfo section and the section of names; see elf(5)."""
    body = b"".join(entry.encode() + b"\0" for entry in info)
    names = b"\0.modinfo\0.shstrtab\0"
    table = 64 + len(body) + len(names)
    header = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    header += struct.pack("<HHIQQQIHHHHHH", 1, 62, 1, 0, 0, table, 0, 64, 0, 0, 64, 3, 2)
    sections = struct.pack("<IIQQQQIIQQ", *([0] * 10))
    sections += struct.pack("<IIQQQQIIQQ", 1, 1, 0, 0, 64, len(body), 0, 0, 1, 0)
    sections += struct.pack("<IIQQQQIIQQ", 10, 3, 0, 0, 64 + len(body), len(names), 0, 0, 1, 0)
    return header + body + names + sections


def install(tree: Path, name: str, content: bytes) -> None:
    path = tree / "kernel" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_dependencies_come_first_and_once(tmp_path: Path) -> None:
    install(tmp_path, "net/virtio_net.ko", module("name=virtio_net", "depends=net-failover,core"))
    install(tmp_path, "net/net_failover.ko.xz", lzma.compress(module("depends=failover,core")))
    install(tmp_path, "net/failover.ko.gz", gzip.compress(module("depends=")))
    install(tmp_path, "core.ko", module("depends="))
    (tmp_path / "modules.builtin").write_text("kernel/virtio/virtio-pci.ko\n")
    found = ModuleTree(tmp_path).resolve(["virtio_net", "virtio_pci", "core", "absent"])
    assert [one.name for one in found] == ["failover", "core", "net_failover", "virtio_net"]
    assert all(one.content.startswith(b"\x7fELF") for one in found)


def test_a_soft_dependency_is_loaded_before_where_it_exists(tmp_path: Path) -> None:
    install(tmp_path, "ext4.ko", module("depends=", "softdep=pre: crc32c absent post: later"))
    install(tmp_path, "crc32c.ko", module("depends="))
    install(tmp_path, "later.ko", module("depends="))
    assert [one.name for one in ModuleTree(tmp_path).resolve(["ext4"])] == ["crc32c", "ext4"]


def test_a_circle_ends(tmp_path: Path) -> None:
    install(tmp_path, "a.ko", module("depends=b"))
    install(tmp_path, "b.ko", module("depends=a"))
    assert {one.name for one in ModuleTree(tmp_path).resolve(["a"])} == {"a", "b"}


def test_a_kernel_that_cannot_be_a_guest_is_named(tmp_path: Path) -> None:
    install(tmp_path, "ext4.ko", module("depends="))
    with pytest.raises(UserError, match="no virtio_blk"):
        guest_modules(tmp_path)


def test_without_modules_all_is_taken_for_built_in() -> None:
    assert guest_modules(None) == []


def test_a_damaged_module_is_named(tmp_path: Path) -> None:
    install(tmp_path, "virtio_blk.ko", b"not a module")
    with pytest.raises(UserError, match=r"virtio_blk\.ko"):
        ModuleTree(tmp_path).resolve(["virtio_blk"])


def test_soft_dependencies() -> None:
    assert soft_dependencies("pre: a b post: c pre: d") == ["a", "b", "d"]
    assert soft_dependencies("") == []


@given(
    st.lists(st.tuples(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.from_regex(r"[a-z,=]{0,9}", fullmatch=True)))
)
def test_modinfo_is_read_back(pairs: list[tuple[str, str]]) -> None:
    assert modinfo(module(*(f"{key}={value}" for key, value in pairs))) == pairs


def test_no_module_has_no_modinfo() -> None:
    assert modinfo(b"\x7fELF\x01\x01 a 32-bit one") == []
    assert modinfo(b"") == []
