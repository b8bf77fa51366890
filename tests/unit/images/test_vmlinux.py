"""The ELF inside a bzImage, and the version that an image names."""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
from pathlib import Path

import pytest

from primetime.images.vmlinux import can_extract, extract_elf, inflate, kernel_version

ELF = b"\x7fELF" + bytes(range(256)) * 40
SIZE = struct.pack("<I", len(ELF))  # appended by the kernel's build, part of no format
VERSION = b"6.12.1+deb13-cloud-amd64 (someone) #1 SMP\0"


def bzimage(payload: bytes) -> bytes:
    """Only what the setup header says; see Linux Documentation/arch/x86/boot.rst."""
    image = bytearray(512 * 4)
    image[0x1F1] = 3
    image[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", image, 0x20E, 0x300)
    struct.pack_into("<II", image, 0x248, 128, len(payload))
    image[0x500 : 0x500 + len(VERSION)] = VERSION
    return bytes(image) + bytes(128) + payload + b"the code that unpacks it"


@pytest.mark.parametrize(
    "payload",
    [
        gzip.compress(ELF),
        lzma.compress(ELF) + SIZE,
        bz2.compress(ELF) + SIZE,
        lzma.compress(ELF, lzma.FORMAT_ALONE) + SIZE,
    ],
    ids=["gzip", "xz", "bzip2", "lzma"],
)
def test_the_elf_comes_out(payload: bytes) -> None:
    assert extract_elf(bzimage(payload)) == ELF


def test_other_images_have_none_inside() -> None:
    assert extract_elf(ELF) is None
    assert extract_elf(b"") is None
    assert extract_elf(bzimage(b"an unknown form")) is None
    assert extract_elf(bzimage(gzip.compress(b"no ELF"))) is None


def test_unknown_forms_are_not_guessed() -> None:
    assert inflate(b"\0" * 100) is None


def test_only_zstd_needs_a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("primetime.host.process.SEARCH_PATH", str(tmp_path))
    zstd = b"\x28\xb5\x2f\xfd" + bytes(99)
    assert can_extract(bzimage(gzip.compress(ELF)))
    assert can_extract(ELF)
    assert not can_extract(bzimage(zstd))
    (tmp_path / "zstd").touch(0o755)
    assert can_extract(bzimage(zstd))


def test_versions() -> None:
    assert kernel_version(bzimage(b"")) == "6.12.1+deb13-cloud-amd64"
    assert kernel_version(b"junk Linux version 6.1.0-arm64 (gcc) #1") == "6.1.0-arm64"
    assert kernel_version(b"junk") == ""
