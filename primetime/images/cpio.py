"""The newc cpio archive that the Linux kernel unpacks as its initrd.

Source: Linux Documentation/driver-api/early-userspace/buffer-format.rst.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass

MAGIC = b"070701"
TRAILER = "TRAILER!!!"


@dataclass(frozen=True, slots=True)
class Member:
    """One file, directory or device. `mode` holds the kind too; `device` is os.makedev's number."""

    name: str
    mode: int
    content: bytes = b""
    device: int = 0


def directory(name: str, permissions: int = 0o755) -> Member:
    """A directory."""
    return Member(name, stat.S_IFDIR | permissions)


def file(name: str, content: bytes, permissions: int = 0o644) -> Member:
    """A file."""
    return Member(name, stat.S_IFREG | permissions, content)


def character_device(name: str, major: int, minor: int) -> Member:
    """A character device that only root may use."""
    return Member(name, stat.S_IFCHR | 0o600, device=os.makedev(major, minor))


def archive(members: Iterable[Member]) -> bytes:
    """Return the archive; equal members give equal bytes: owners are root, times are zero."""
    parts = [entry(member, number) for number, member in enumerate(members, start=1)]
    return b"".join([*parts, entry(Member(TRAILER, 0), 0)])


def entry(member: Member, number: int) -> bytes:
    """Return header, name and content of one member, each padded to four bytes."""
    name = member.name.encode() + b"\0"
    links = 2 if stat.S_ISDIR(member.mode) else 1
    major, minor = os.major(member.device), os.minor(member.device)
    fields = (number, member.mode, 0, 0, links, 0, len(member.content), 0, 0, major, minor, len(name), 0)
    header = MAGIC + b"".join(b"%08X" % field for field in fields)
    return padded(header + name) + padded(member.content)


def padded(content: bytes) -> bytes:
    """Fill up to a multiple of four bytes."""
    return content + b"\0" * (-len(content) % 4)
