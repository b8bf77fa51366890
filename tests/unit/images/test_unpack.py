"""Archives of strangers: nothing lies or leads outside."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tarfile
from contextlib import suppress
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


@pytest.mark.skipif(find_program("zstd") is None, reason="zstd is not installed")
def test_zstd_gets_a_path_that_is_relative_to_us(tmp_path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = archive(tmp_path / "a.tar", [("file", tarfile.REGTYPE, "words")], "w:")
    subprocess.run(["zstd", "-q", str(plain), "-o", str(tmp_path / "a.tar.zst")], check=True)
    monkeypatch.chdir(tmp_path)
    unpack_tar(Path("a.tar.zst"), "tar.zst", tree)
    assert (tree / "file").read_text() == "words"


@pytest.mark.skipif(find_program("zstd") is None, reason="zstd is not installed")
def test_zstds_own_words_say_what_is_wrong(tmp_path: Path, tree: Path) -> None:
    """Not tarfile's, which sees an empty file."""
    path, packed = tmp_path / "a.tar.zst", tmp_path / "whole"
    plain = archive(tmp_path / "a.tar", [("file", tarfile.REGTYPE, "words" * 1000)], "w:")
    subprocess.run(["zstd", "-q", str(plain), "-o", str(packed)], check=True)
    for content in (b"no archive", packed.read_bytes()[:40]):
        path.write_bytes(content)
        with pytest.raises(
            UserError, match=r"a\.tar\.zst cannot be unpacked: .*zstd ended with exit code 1: .*zst"
        ) as error:
            unpack_tar(path, "tar.zst", tree)
        assert "empty file" not in error.value.message
    (tmp_path / "plain").write_bytes(b"no tar" * 1000)
    subprocess.run(["zstd", "-qf", str(tmp_path / "plain"), "-o", str(path)], check=True)
    with pytest.raises(UserError, match=r"a\.tar\.zst cannot be unpacked: (?!.*exit code)"):
        unpack_tar(path, "tar.zst", tree)  # zstd is content, what it holds is no tar


@pytest.mark.parametrize(
    "members",
    [
        [("a", tarfile.SYMTYPE, "b"), ("a", tarfile.SYMTYPE, "b")],
        [("a", tarfile.REGTYPE, "x"), ("b", tarfile.LNKTYPE, "a"), ("b", tarfile.LNKTYPE, "a")],
        [("b", tarfile.LNKTYPE, "none")],
        [("a", tarfile.REGTYPE, "x"), ("a/b", tarfile.REGTYPE, "x")],
        [("a", tarfile.REGTYPE, "x"), ("a/b/c", tarfile.REGTYPE, "x")],
        [("a", tarfile.REGTYPE, "x"), ("a", tarfile.DIRTYPE, "")],
        [("a", tarfile.DIRTYPE, ""), ("a", tarfile.REGTYPE, "x")],
        [("a", tarfile.DIRTYPE, ""), ("b", tarfile.LNKTYPE, "a")],
        [("n" * 300, tarfile.REGTYPE, "x")],
    ],
)
def test_members_that_contradict_each_other_are_refused(tmp_path: Path, tree: Path, members: list[Member]) -> None:
    with pytest.raises(UserError, match=r"the archive's member .* cannot be unpacked") as error:
        unpack_tar(archive(tmp_path / "a.tgz", members), "tgz", tree)
    assert error.value.hint


def test_a_disk_that_cannot_take_it_is_not_the_archives_fault(tmp_path: Path, tree: Path) -> None:
    """Whoever installs says what to do then."""
    path = archive(tmp_path / "a.tgz", [("file", tarfile.REGTYPE, "words" * 10000)])
    code = f"""
import resource, signal
from pathlib import Path
from primetime.images.unpack import unpack_tar
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
try:
    unpack_tar(Path({str(path)!r}), "tgz", Path({str(tree)!r}))
except OSError as error:
    print(error.strerror)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert said.stdout == "File too large\n"


def test_flipped_bytes_are_noticed_also_where_no_hash_is_published(tmp_path: Path, tree: Path) -> None:
    """gzip's checksum stands behind everything that tar reads."""
    whole = archive(tmp_path / "a.tgz", [("file", tarfile.REGTYPE, "words" * 1000)]).read_bytes()
    for place in (-1, -5):  # of the length, of the checksum
        changed = bytearray(whole)
        changed[place] ^= 1
        (tmp_path / "b.tgz").write_bytes(changed)
        with pytest.raises(UserError, match=r"b\.tgz cannot be unpacked: (CRC check failed|Incorrect length)"):
            unpack_tar(tmp_path / "b.tgz", "tgz", tree)


def test_every_flipped_byte_is_a_sentence(tmp_path: Path, tree: Path) -> None:
    members = [("a/file", tarfile.REGTYPE, "words" * 20), ("a/link", tarfile.SYMTYPE, "file")]
    whole = archive(tmp_path / "a.tgz", members).read_bytes()
    for place in range(10, len(whole)):  # gzip's own header has a time and a name that nothing depends on
        changed = bytearray(whole)
        changed[place] ^= 0x55
        (tmp_path / "b.tgz").write_bytes(changed)
        shutil.rmtree(tree)
        tree.mkdir()
        with suppress(UserError):
            unpack_tar(tmp_path / "b.tgz", "tgz", tree)
            assert (tree / "a/file").read_text() == "words" * 20, place


def test_a_damaged_archive_is_refused(tmp_path: Path, tree: Path) -> None:
    whole = archive(tmp_path / "a.tgz", [("file", tarfile.REGTYPE, "words" * 1000)]).read_bytes()
    for content in (b"", b"no archive", whole[: len(whole) // 2]):
        (tmp_path / "b.tgz").write_bytes(content)
        with pytest.raises(UserError, match="cannot be unpacked"):
            unpack_tar(tmp_path / "b.tgz", "tgz", tree)
