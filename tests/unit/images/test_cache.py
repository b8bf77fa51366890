"""The image cache: whole entries or none, whoever builds and whatever dies."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primetime.errors import UserError
from primetime.images.cache import Cache, file_hash, key

KEY = {"what": "this"}


def test_builds_once(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    built: list[Path] = []

    def build(entry: Path) -> None:
        built.append(entry)
        (entry / "file").write_text("content")

    first = cache.entry("name", KEY, build)
    assert cache.entry("name", KEY, build) == first
    assert len(built) == 1
    assert built[0] != first
    assert (first / "file").read_text() == "content"
    assert first.name == f"name-{key(KEY)}"


def test_another_key_is_another_entry(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    assert cache.entry("name", KEY, lambda _: None) != cache.entry("name", {"what": "that"}, lambda _: None)


def test_a_failed_build_leaves_no_entry(tmp_path: Path) -> None:
    cache = Cache(tmp_path)

    def fail(entry: Path) -> None:
        (entry / "half").write_text("half")
        raise UserError("no network")

    with pytest.raises(UserError, match="no network"):
        cache.entry("name", KEY, fail)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []
    assert cache.entry("name", KEY, lambda _: None).is_dir()


def test_a_killed_builders_leftovers_are_never_used(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    part = cache.path("name", KEY).with_name(cache.path("name", KEY).name + ".part")
    part.mkdir()
    (part / "half").write_text("half")
    entry = cache.entry("name", KEY, lambda entry: (entry / "whole").touch())
    assert [path.name for path in entry.iterdir()] == ["whole"]
    assert not part.exists()


def test_two_builders_at_once_do_not_collide(tmp_path: Path) -> None:
    building, go = threading.Event(), threading.Event()
    built: list[str] = []
    entries: list[Path] = []

    def slow(entry: Path) -> None:
        built.append("slow")
        building.set()
        assert go.wait(10)
        (entry / "file").write_text("slow")

    def other(_: Path) -> None:
        built.append("other")

    threads = [
        threading.Thread(target=lambda b=b: entries.append(Cache(tmp_path).entry("name", KEY, b)))
        for b in (slow, other)
    ]
    threads[0].start()
    assert building.wait(10)
    threads[1].start()
    go.set()
    for thread in threads:
        thread.join(10)
    assert built == ["slow"]
    assert entries[0] == entries[1]
    assert (entries[0] / "file").read_text() == "slow"


def test_a_place_that_cannot_be_written_is_the_users_to_mend(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError) as caught:
        Cache(tmp_path / "file" / "below").entry("name", KEY, lambda _: None)
    assert "PRIMETIME_CACHE" in caught.value.hint


def test_the_variable_names_another_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRIMETIME_CACHE", str(tmp_path))
    assert Cache().root == tmp_path


@given(st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.none(), st.lists(st.text()))))
def test_the_order_of_keys_is_no_part_of_the_key(material: dict[str, object]) -> None:
    assert key(material) == key(dict(reversed(material.items())))


@given(st.text(), st.text())
def test_different_material_has_different_keys(one: str, other: str) -> None:
    assert (key({"a": one}) == key({"a": other})) == (one == other)


def test_file_hash_is_sha256(tmp_path: Path) -> None:
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    assert file_hash(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, B.1
