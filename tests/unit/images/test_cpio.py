"""The initrd's archive, read back by a reader of the format's description."""

from __future__ import annotations

import os
import stat

from hypothesis import given
from hypothesis import strategies as st

from primetime.images.cpio import Member, archive, character_device, directory, file

HEADER = 110
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=20)


def read(content: bytes) -> list[Member]:
    members: list[Member] = []
    at = 0
    while True:
        assert content[at : at + 6] == b"070701"
        fields = [int(content[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        size, name_size = fields[6], fields[11]
        name = content[at + HEADER : at + HEADER + name_size - 1].decode()
        start = -(-(at + HEADER + name_size) // 4) * 4
        if name == "TRAILER!!!":
            assert len(content) % 4 == 0
            return members
        members.append(Member(name, fields[1], content[start : start + size], os.makedev(fields[9], fields[10])))
        at = -(-(start + size) // 4) * 4


@given(st.lists(st.tuples(NAMES, st.binary(max_size=50), st.integers(0, 0o7777)), max_size=5))
def test_what_goes_in_comes_out(files: list[tuple[str, bytes, int]]) -> None:
    members = [file(name, content, mode) for name, content, mode in files]
    assert read(archive(members)) == members


def test_kinds() -> None:
    found = read(archive([directory("dev"), character_device("dev/console", 5, 1)]))
    assert [stat.S_IFMT(member.mode) for member in found] == [stat.S_IFDIR, stat.S_IFCHR]
    assert found[1].device == os.makedev(5, 1)


def test_equal_members_give_equal_bytes() -> None:
    assert archive([file("a", b"x")]) == archive([file("a", b"x")])
