"""Third-party tools: fetched from a real server, verified, unpacked; and what goes wrong leaves the cache as it was."""

from __future__ import annotations

import errno
import hashlib
import io
import platform
import tarfile
import threading
from collections.abc import Mapping
from http.client import HTTPResponse
from pathlib import Path
from typing import cast
from urllib.error import URLError

import pytest

from primetime.errors import UserError
from primetime.images.cache import Cache
from primetime.images.download import copy
from primetime.images.tool_lock import LockedTool, chosen, for_machine, locked_tools
from primetime.images.tools import (
    Installing,
    check_machine,
    damaged,
    entry_path,
    find_tool,
    install,
    installed,
    standing,
)
from tests.unit.images.archive_server import Served, serving

HERE = platform.machine()
OTHER = {"x86_64": "aarch64", "aarch64": "x86_64"}[HERE]
CODES = {"x86_64": 62, "aarch64": 183}
NAME = "thing.tgz"


def program(architecture: str = HERE) -> bytes:
    """The first bytes of an ELF program, and enough more to be cut."""
    return (
        b"\x7fELF\x02\x01\x01"
        + bytes(9)
        + b"\x02\0"
        + CODES[architecture].to_bytes(2, "little")
        + bytes(range(256)) * 400
    )


def tgz(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o4777
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


ARCHIVE = tgz({"release/thing": program(), "release/LICENSE": b"words"})


def locked(served: Served, content: bytes | None = ARCHIVE, **other: object) -> LockedTool:
    given = {"architecture": HERE, "size": 0, "form": "tgz", "programs": {"thing": "release/thing"}, **other}
    digest = "" if content is None else hashlib.sha256(content).hexdigest()
    return LockedTool(name="thing", version="1.0", url=f"{served.url}/{NAME}", sha256=digest, **given)  # type: ignore[arg-type]


def how(directory: Path | None = None, accept: bool = False) -> Installing:
    return Installing(directory, lambda tool, digest: accept, lambda words: None)


def entries(cache: Cache) -> list[str]:
    """What is in the cache but locks and what may be gone on with."""
    return sorted(path.name for path in cache.root.iterdir() if path.suffix != ".lock" and path.name != "downloads")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    cache = Cache(tmp_path / "cache")
    cache.root.mkdir()
    (cache.root / "other-entry").mkdir()
    return cache


def test_a_tool_is_fetched_verified_and_unpacked_once(cache: Cache) -> None:
    with serving({NAME: ARCHIVE}) as served:
        tool = locked(served)
        entry = install(tool, cache, how())
        assert install(tool, cache, how()) == entry
    thing = entry / "tree/release/thing"
    assert thing.read_bytes() == program()
    assert thing.stat().st_mode & 0o7777 == 0o755, "setuid and others' writing are not taken over"
    assert served.asked == [""]
    assert list((cache.root / "downloads").iterdir()) == []
    assert list(damaged(entry)) == []


def test_a_changed_file_is_noticed(cache: Cache) -> None:
    with serving({NAME: ARCHIVE}) as served:
        entry = install(locked(served), cache, how())
    (entry / "tree/release/thing").write_bytes(b"other")
    (entry / "tree/new").write_bytes(b"")
    assert list(damaged(entry)) == ["new", "release/thing"]


@pytest.mark.parametrize("content", [None, "", "[]", '{"files": []}'])
def test_an_entry_without_its_list_is_damaged(cache: Cache, content: str | None) -> None:
    with serving({NAME: ARCHIVE}) as served:
        tool = locked(served)
        entry = install(tool, cache, how())
        assert standing(tool, cache) == "installed"
        (entry / "about.json").unlink()
        if content is not None:
            (entry / "about.json").write_text(content)
        assert list(damaged(entry)) == ["about.json"]
        assert standing(tool, cache) == f"damaged: remove {entry}"
        with pytest.raises(UserError, match="is damaged") as error:
            install(tool, cache, how())
    assert str(entry) in error.value.hint


def test_a_cut_download_goes_on_where_it_stopped(cache: Cache) -> None:
    with serving({NAME: ARCHIVE}, cut=300, cuts=2) as served:
        install(locked(served), cache, how())
    assert served.asked == ["", "bytes=300-", "bytes=600-"]


def test_a_download_that_is_always_cut_says_so_and_is_kept_for_the_next_time(cache: Cache) -> None:
    with serving({NAME: ARCHIVE}, cut=0, cuts=99) as served:
        with pytest.raises(UserError, match="cannot be had: the connection was cut"):
            install(locked(served), cache, how())
        served.cut, served.cuts = 100, 1
        tool = locked(served)
        served.files[NAME] = ARCHIVE[:100]  # a server that has only the beginning
        with pytest.raises(UserError, match="is not what the lock file says"):
            install(tool, cache, how())
        assert entries(cache) == ["other-entry"]


def test_the_part_that_came_is_used_by_the_next_command(cache: Cache) -> None:
    with serving({NAME: ARCHIVE}, cut=200, cuts=1) as served:
        tool = locked(served)
        part = cache.root / "downloads" / f"tool-thing-1.0-{HERE}-{tool.sha256[:16]}.part"
        part.parent.mkdir()
        part.write_bytes(ARCHIVE[:150])
        install(tool, cache, how())
    assert served.asked == ["bytes=150-", "bytes=350-"]


def test_a_server_without_ranges_sends_all_again(cache: Cache) -> None:
    with serving({NAME: ARCHIVE}, cut=300, cuts=1, ranges=False) as served:
        entry = install(locked(served), cache, how())
    assert served.asked == ["", "bytes=300-"]
    assert (entry / "tree/release/thing").read_bytes() == program()


def test_a_part_longer_than_the_servers_file_is_thrown_away(cache: Cache) -> None:
    with serving({NAME: ARCHIVE}) as served:
        tool = locked(served)
        part = cache.root / "downloads" / f"tool-thing-1.0-{HERE}-{tool.sha256[:16]}.part"
        part.parent.mkdir()
        part.write_bytes(ARCHIVE + b"more")
        install(tool, cache, how())
    assert served.asked == [f"bytes={len(ARCHIVE) + 4}-", ""]


@pytest.mark.parametrize("stands", ["in the middle", "size"])
def test_a_wrong_archive_is_refused_and_taken_away(cache: Cache, stands: str) -> None:
    wrong = ARCHIVE[:500] + b"x" + ARCHIVE[501:] if stands == "in the middle" else ARCHIVE + b"x"
    size = len(ARCHIVE) if stands == "size" else 0
    words = "bytes, not the" if stands == "size" else "is not what the lock file says: sha256"
    with serving({NAME: wrong}) as served, pytest.raises(UserError, match=words):
        install(locked(served, size=size), cache, how())
    assert entries(cache) == ["other-entry"]
    assert list((cache.root / "downloads").iterdir()) == []


def test_a_server_without_the_file_says_so(cache: Cache) -> None:
    with serving({}) as served, pytest.raises(UserError, match="HTTP 404") as caught:
        install(locked(served), cache, how())
    assert "--from DIR" in caught.value.hint
    assert entries(cache) == ["other-entry"]


def test_nobody_at_the_other_end(cache: Cache) -> None:
    with serving({}) as served:
        tool = locked(served)
    with pytest.raises(UserError, match="Connection refused"):
        install(tool, cache, how())


def test_another_architecture_is_refused(cache: Cache) -> None:
    content = tgz({"release/thing": program(OTHER)})
    with serving({NAME: content}) as served, pytest.raises(UserError, match=f"is for {OTHER}, not for {HERE}"):
        install(locked(served, content), cache, how())
    assert entries(cache) == ["other-entry"]


def test_without_a_published_hash_the_user_decides(cache: Cache) -> None:
    with serving({NAME: ARCHIVE}) as served:
        tool = locked(served, None)
        with pytest.raises(UserError, match="was not accepted") as caught:
            install(tool, cache, how())
        assert caught.value.hint == "primetime tools install thing --accept-unverified thing"
        assert not installed(tool, cache)
        install(tool, cache, how(accept=True))
    assert hashlib.sha256(ARCHIVE).hexdigest() in (entry_path(tool, cache) / "about.json").read_text()


def test_offline_the_archive_is_taken_from_a_directory_and_stays_there(cache: Cache, tmp_path: Path) -> None:
    served = Served({}, url="http://192.0.2.1")
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    with pytest.raises(UserError, match=f"has no {NAME}"):
        install(locked(served), cache, how(shelf))
    (shelf / NAME).write_bytes(ARCHIVE[:-1])
    with pytest.raises(UserError, match="is not what the lock file says"):
        install(locked(served), cache, how(shelf))
    (shelf / NAME).write_bytes(ARCHIVE)
    install(locked(served), cache, how(shelf))
    assert (shelf / NAME).read_bytes() == ARCHIVE


def test_a_bare_program_is_an_archive_too(cache: Cache) -> None:
    with serving({NAME: program()}) as served:
        tool = locked(served, program(), form="program", programs={"thing": "thing"})
        entry = install(tool, cache, how())
    assert (entry / "tree/thing").stat().st_mode & 0o777 == 0o755


def test_an_archive_without_the_program_is_refused(cache: Cache) -> None:
    content = tgz({"release/other": program()})
    with serving({NAME: content}) as served, pytest.raises(UserError, match="holds no release/thing"):
        install(locked(served, content), cache, how())
    assert entries(cache) == ["other-entry"]


def test_a_program_of_the_users_own_is_hashed(tmp_path: Path, cache: Cache) -> None:
    path = tmp_path / "firecracker"
    with pytest.raises(UserError, match="there is no program"):
        find_tool("firecracker", str(path), cache)
    path.write_bytes(program())
    found = find_tool("firecracker", str(path), cache)
    assert found is not None
    assert (found.sha256, found.origin) == (hashlib.sha256(program()).hexdigest(), "named in the study")
    path.write_bytes(program(OTHER))
    with pytest.raises(UserError, match=f"is for {OTHER}"):
        find_tool("firecracker", str(path), cache)


def test_what_nobody_has_is_none(cache: Cache) -> None:
    assert find_tool("no-such-program", cache=cache) is None


def test_a_script_is_for_any_machine(tmp_path: Path) -> None:
    path = tmp_path / "script"
    path.write_text("#!/bin/sh\n")
    check_machine(path, OTHER)


def test_the_lock_file_of_the_package() -> None:
    tools = locked_tools()
    for machine in ("x86_64", "aarch64"):
        assert [tool.name for tool in for_machine(tools, machine)] == ["firecracker", "cloud-hypervisor", "kata"]
    hashes = {(tool.name, tool.architecture): tool.sha256[:8] for tool in tools}
    assert hashes["firecracker", "x86_64"] == "382a02a8"
    assert hashes["firecracker", "aarch64"] == "8d0e69f6"
    assert hashes["kata", "x86_64"] == "2c3b9dfe"
    assert all(tool.version in tool.url and tool.url.startswith("https://") for tool in tools)


def test_a_name_that_is_not_locked_is_refused() -> None:
    with pytest.raises(UserError, match="no tool 'qemu'") as caught:
        chosen(locked_tools(), ["qemu"])
    assert "firecracker" in caught.value.hint


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('form = "tgz"', 'form = "rar"'), "form is one of"),
        (('url = "http', 'url = "file'), "must begin with"),
        (('sha256 = "', 'sha256 = "zz'), "64 hexadecimal"),
        (('version = "1"', ""), "version"),
        (("[[tool]]", "[[tools]]"), r"it has no \[\[tool\]\]"),
        (("[[tool]]", "[tool]"), r"it has no \[\[tool\]\]"),
        (('url = "http://a/b.tgz"', "url = 5"), "url must be a word"),
        (("size = 1", 'size = "big"'), "size must be a number"),
        (("size = 1", "size = -1"), "size must be a number"),
        (("size = 1", "size = true"), "size must be a number"),
        (("size = 1", f"size = {'9' * 5000}"), "is no lock file"),
        (("size = 1", f"size = {'[' * 5000}"), "is no lock file"),
        (('name = "a"', 'name = "../a"'), "name cannot be"),
        (('name = "a"', "name = []"), "name must be a word"),
        (('form = "tgz"', "form = []"), "form must be a word"),
        (('programs.a = "a"', ""), "programs must be a table"),
        (('programs.a = "a"', 'programs = "a"'), "programs must be a table"),
        (('programs.a = "a"', "programs.a = 1"), "is no path in the archive"),
        (('programs.a = "a"', 'programs.a = "../a"'), "is no path in the archive"),
        (('programs.a = "a"', 'programs.a = "/a"'), "is no path in the archive"),
        (('form = "tgz"', 'form = "program"\nprograms.b = "b"'), "exactly one program"),
    ],
)
def test_a_lock_file_with_a_mistake_is_refused(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    text = (
        '[[tool]]\nname = "a"\nversion = "1"\narchitecture = "x86_64"\nurl = "http://a/b.tgz"\nsize = 1\n'
        f'sha256 = "{"0" * 64}"\nform = "tgz"\nprograms.a = "a"\n'
    )
    path = tmp_path / "lock.toml"
    path.write_text(text)
    assert locked_tools(path)[0].archive == "b.tgz"
    path.write_text(text.replace(*change))
    with pytest.raises(UserError, match=words):
        locked_tools(path)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"tool = [1]", b"tool = [[]]"])
def test_what_is_no_lock_file_at_all_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "lock.toml").write_bytes(content)
    with pytest.raises(UserError, match=r"is not UTF-8|must be a list of tables") as error:
        locked_tools(tmp_path / "lock.toml")
    assert error.value.hint


def test_two_who_install_the_same_fetch_it_once(cache: Cache) -> None:
    with serving({NAME: ARCHIVE}) as served:
        tool = locked(served)
        other = threading.Thread(target=install, args=(tool, cache, how()))

        def meanwhile(_: str) -> None:
            if not other.ident:
                other.start()
                other.join(0.2)  # in vain: it waits for us

        entry = install(tool, cache, Installing(None, lambda tool, digest: False, meanwhile))
        other.join()
    assert len(served.asked) == 1
    assert (entry / "tree/release/thing").read_bytes() == program()


class Lost:
    """A reply whose network goes away."""

    def read(self, _: int) -> bytes:
        raise OSError(errno.EHOSTUNREACH, "No route to host")


def test_a_network_that_fails_is_not_a_disk_that_fails() -> None:
    with pytest.raises(URLError, match="No route to host"):
        copy(cast(HTTPResponse, Lost()), io.BytesIO(), 0, lambda here, whole: None)
