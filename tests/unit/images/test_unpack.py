"""Archives of strangers: nothing lies or leads outside."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from primetime.errors import UserError
from primetime.host.process import find_program
from primetime.images.unpack import opened, unpack_tar

Member = tuple[str, bytes, str]  # name, type, link or content


def archive(path: Path, members: list[Member], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, kind, words in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            if kind == tarfile.REGTYPE:
                info.size = len(words)
                tar.addfile(info, io.BytesIO(words.encode()))
            else:
                info.linkname = words
                tar.addfile(info)
    return path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    path = tmp_path / "tree"
    path.mkdir()
    return path


@pytest.mark.parametrize(
    "members",
    [
        [("../out", tarfile.REGTYPE, "x")],
        [("/etc/out", tarfile.REGTYPE, "x")],
        [("a/../../out", tarfile.REGTYPE, "x")],
        [("link", tarfile.SYMTYPE, "/etc/passwd")],
        [("link", tarfile.SYMTYPE, "..")],
        [("a/link", tarfile.SYMTYPE, "../../out")],
        [("link", tarfile.LNKTYPE, "../out")],
        [("a", tarfile.DIRTYPE, ""), ("b", tarfile.SYMTYPE, "a"), ("b/../../out", tarfile.REGTYPE, "x")],
        [("node", tarfile.CHRTYPE, "")],
        [("pipe", tarfile.FIFOTYPE, "")],
    ],
)
def test_what_leads_out_is_refused(tmp_path: Path, tree: Path, members: list[Member]) -> None:
    (tmp_path / "out").write_text("as it was")
    with pytest.raises(UserError, match=r"leads out of the archive|is a device or a pipe"):
        unpack_tar(archive(tmp_path / "a.tgz", members), "tgz", tree)
    assert (tmp_path / "out").read_text() == "as it was"
    assert {path.name for path in tmp_path.iterdir()} == {"out", "tree", "a.tgz"}


def test_links_inside_are_kept_and_not_written_through(tmp_path: Path, tree: Path) -> None:
    members = [
        ("bin/tool-1", tarfile.REGTYPE, "one"),
        ("bin/tool", tarfile.SYMTYPE, "tool-1"),
        ("same", tarfile.LNKTYPE, "bin/tool-1"),
        ("bin/tool", tarfile.REGTYPE, "two"),
    ]
    unpack_tar(archive(tmp_path / "a.tgz", members), "tgz", tree)
    assert (tree / "bin/tool-1").read_text() == "one"
    assert (tree / "same").stat().st_ino == (tree / "bin/tool-1").stat().st_ino
    assert (tree / "bin/tool").read_text() == "two"
    assert not (tree / "bin/tool").is_symlink()


@pytest.mark.skipif(find_program("zstd") is None, reason="zstd is not installed")
def test_zstd_is_unpacked_by_the_program(tmp_path: Path, tree: Path) -> None:
    plain = archive(tmp_path / "a.tar", [("file", tarfile.REGTYPE, "words")], "w:")
    subprocess.run(["zstd", "-q", str(plain), "-o", str(tmp_path / "a.tar.zst")], check=True)
    unpack_tar(tmp_path / "a.tar.zst", "tar.zst", tree)
    assert (tree / "file").read_text() == "words"
    lying = sorted(path.name for path in tmp_path.iterdir())
    with opened(tmp_path / "a.tar.zst", "tar.zst") as tar:
        assert tar.next() is not None
        assert sorted(path.name for path in tmp_path.iterdir()) == lying, "the archive's place may be read-only or full"
    (tmp_path / "b.tar.zst").write_bytes((tmp_path / "a.tar.zst").read_bytes()[:-20])
    with pytest.raises(UserError, match="cannot be unpacked"):
        unpack_tar(tmp_path / "b.tar.zst", "tar.zst", tree)


def test_a_damaged_archive_is_refused(tmp_path: Path, tree: Path) -> None:
    whole = archive(tmp_path / "a.tgz", [("file", tarfile.REGTYPE, "words" * 1000)]).read_bytes()
    for content in (b"", b"no archive", whole[: len(whole) // 2]):
        (tmp_path / "b.tgz").write_bytes(content)
        with pytest.raises(UserError, match="cannot be unpacked"):
            unpack_tar(tmp_path / "b.tgz", "tgz", tree)
