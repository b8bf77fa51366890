"""Reading Linux kernel images: their version, and the uncompressed ELF inside a bzImage.

Source: Linux Documentation/arch/x86/boot.rst (setup header) and scripts/extract-vmlinux's approach.
"""

from __future__ import annotations

import bz2
import lzma
import re
import struct
import zlib

from primetime.host.process import find_program, require_program, run

ELF_MAGIC = b"\x7fELF"
IMAGE_MAGIC = b"ARM\x64"  # at 0x38 of an arm64 Image (arch/arm64/booting.rst)
BOOT_MAGIC = b"HdrS"  # at 0x202 of a bzImage
SECTOR = 512
INFLATE_LIMIT_S = 120.0
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
GZIP_MAGIC = b"\x1f\x8b"
XZ_MAGIC = b"\xfd7zXZ\0"
BZIP2_MAGIC = b"BZh"
LZMA_MAGIC = b"\x5d\0\0"


def is_bzimage(image: bytes) -> bool:
    """Whether this is an x86 kernel with a setup header."""
    return image[0x202:0x206] == BOOT_MAGIC


def kernel_version(image: bytes) -> str:
    """Return the release that a kernel image names ("6.12.1-amd64"), "" when it names none in the clear."""
    if is_bzimage(image):
        start = struct.unpack_from("<H", image, 0x20E)[0] + SECTOR
        words = image[start : start + 256].split(b"\0")[0].split()
        return words[0].decode("ascii", "replace") if words else ""
    banner = re.search(rb"Linux version (\S+) ", image)
    return banner[1].decode("ascii", "replace") if banner else ""


def is_plain_kernel(header: bytes) -> bool:
    """Whether a kernel's first 64 bytes are those of an uncompressed one: an ELF, or an arm64 Image."""
    return header.startswith(ELF_MAGIC) or header[0x38:0x3C] == IMAGE_MAGIC


def extract_elf(image: bytes) -> bytes | None:
    """Return the vmlinux inside a bzImage, or the Image inside a compressed one; None for what holds neither."""
    inner = inflate(packed(image))
    if is_bzimage(image):
        return inner if inner is not None and inner.startswith(ELF_MAGIC) else None
    return inner if inner is not None and is_plain_kernel(inner[:0x40]) else None


def can_extract(image: bytes) -> bool:
    """Whether this machine has what it takes to unpack a kernel image, as far as it is packed."""
    return not packed(image).startswith(ZSTD_MAGIC) or find_program("zstd") is not None


def packed(image: bytes) -> bytes:
    """Return the part of an image that may be compressed: a bzImage's payload, else the whole."""
    if not is_bzimage(image):
        return image
    setup_sectors = image[0x1F1] or 4
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = (setup_sectors + 1) * SECTOR + offset
    return image[start : start + length]


def inflate(content: bytes) -> bytes | None:
    """Decompress by the content's own magic; None when it is in no known form. UserError without zstd.

    The kernel's build appends the uncompressed size, four bytes that belong to no format.
    """
    if content.startswith(GZIP_MAGIC):
        return zlib.decompressobj(31).decompress(content)
    if content.startswith(XZ_MAGIC):
        return lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(content)
    if content.startswith(BZIP2_MAGIC):
        return bz2.BZ2Decompressor().decompress(content)
    if content.startswith(LZMA_MAGIC):
        return lzma.LZMADecompressor(lzma.FORMAT_ALONE).decompress(content)
    if content.startswith(ZSTD_MAGIC):
        program = require_program("zstd", "apt-get install zstd")
        # the appended size makes zstd complain after everything has come out
        return run([program, "-dcq"], stdin=content, timeout_s=INFLATE_LIMIT_S, check=False).stdout
    return None
