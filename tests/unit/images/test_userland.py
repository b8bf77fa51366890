"""What is done to an unpacked tree."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import pytest

from primetime.errors import UserError
from primetime.images.cache import Cache
from primetime.images.disk import BLOCK, needed
from primetime.images.userland import (
    interpreter,
    link,
    listing_hash,
    own_userland,
    package_data,
    replace,
    tree_hash,
    trim,
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    for name in (
        "usr/share/doc/fio/copyright",
        "usr/share/doc/fio/changelog",
        "usr/share/man/man1/fio.1",
        "usr/bin/fio",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / "usr/share/doc/empty").mkdir()
    (root / "bin").symlink_to("usr/bin")
    return root


def test_trim_keeps_programs_and_licences(tree: Path) -> None:
    trim(tree)
    left = sorted(str(path.relative_to(tree)) for path in tree.rglob("*") if not path.is_dir())
    assert left == ["usr/bin/fio", "usr/share/doc/fio/copyright"]
    assert (tree / "bin").is_symlink()
    assert not (tree / "usr/share/doc/empty").exists()


def test_the_hash_is_of_content_not_of_times(tree: Path) -> None:
    before, listed = tree_hash(tree), listing_hash(tree)
    os.utime(tree / "usr/bin/fio", (1, 1))
    assert tree_hash(tree) == before
    assert listing_hash(tree) != listed


@pytest.mark.parametrize("change", ["content", "mode", "name", "target"])
def test_the_hash_sees_every_change(tree: Path, change: str) -> None:
    before = tree_hash(tree)
    program = tree / "usr/bin/fio"
    if change == "content":
        program.write_text("another")
    elif change == "mode":
        program.chmod(0o4755)
    elif change == "name":
        program.rename(tree / "usr/bin/oif")
    else:
        link(tree / "bin", "usr/sbin")
    assert tree_hash(tree) != before


def test_replacing_does_not_write_through_a_link(tree: Path) -> None:
    outside = tree.parent / "outside"
    outside.write_text("kept")
    (tree / "resolv.conf").symlink_to(outside)
    replace(tree / "resolv.conf", b"")
    assert outside.read_text() == "kept"
    assert (tree / "resolv.conf").read_bytes() == b""


def test_a_link_takes_the_place_of_a_directory(tree: Path) -> None:
    link(tree / "usr/share/doc", "/nowhere")
    assert (tree / "usr/share/doc").readlink() == Path("/nowhere")


def test_the_disk_has_room_for_every_file(tree: Path) -> None:
    (tree / "large").write_bytes(bytes(BLOCK * 100 + 1))
    blocks, inodes = needed(tree)
    assert blocks > 101
    assert inodes > len(list(tree.rglob("*")))


def test_a_users_userland_must_be_a_directory(tmp_path: Path) -> None:
    (tmp_path / "image.img").touch()
    with pytest.raises(UserError, match=r"image\.img is not a directory"):
        own_userland(Cache(tmp_path / "cache"), tmp_path / "image.img")


def test_a_users_userland_becomes_tree_and_disk(tree: Path, tmp_path: Path) -> None:
    made = own_userland(Cache(tmp_path / "cache"), tree)
    assert (made.tree / "usr/bin/fio").read_text() == "usr/bin/fio"
    assert (made.tree / "usr/lib/primetime/ready").read_bytes() == package_data("ready")
    assert (made.tree / "data").is_dir()
    assert made.disk.stat().st_size > 0
    assert made.file("usr/bin/none", "usr/bin/fio") == made.tree / "usr/bin/fio"
    assert not (tree / "data").exists(), "the user's own tree is left alone"


def test_a_damaged_entry_says_what_to_remove(tree: Path, tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    entry = own_userland(cache, tree).tree.parent
    (entry / "about.json").write_text('{"manifest": [], "tree_hash": "0"}')
    with pytest.raises(UserError, match=r"is damaged: its about\.json") as error:
        own_userland(cache, tree)
    assert error.value.hint == f"rm -r {entry}"


@pytest.mark.parametrize(
    ("triplet", "loader"),
    [("x86_64-linux-gnu", "ld-linux-x86-64.so.2"), ("aarch64-linux-gnu", "ld-linux-aarch64.so.1")],
)
def test_a_trees_python_starts_through_its_own_loader(tmp_path: Path, triplet: str, loader: str) -> None:
    libraries = tmp_path / "usr/lib" / triplet
    libraries.mkdir(parents=True)
    (libraries / loader).touch()
    with pytest.raises(UserError, match="holds no Python"):
        interpreter(tmp_path, PurePosixPath("/there"))
    (tmp_path / "usr/bin").mkdir()
    (tmp_path / "usr/bin/python3").touch()
    assert interpreter(tmp_path, PurePosixPath("/there")) == (
        f"/there/usr/lib/{triplet}/{loader}",
        "--library-path",
        f"/there/usr/lib/{triplet}",
        "/there/usr/bin/python3",
        "-B",
    )
