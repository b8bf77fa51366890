"""The verb `tools`, against a real server and a cache of its own."""

from __future__ import annotations

import hashlib
import json
import platform
from pathlib import Path

import pytest

from primetime.cli import DONE, FAILED, USER_MISTAKE, main
from primetime.images.cache import Cache
from primetime.images.tool_lock import for_machine, locked_tools
from primetime.images.tools import entry_path
from tests.unit.images.archive_server import serving

PROGRAM = b"#!/bin/sh\n" + bytes(range(256)) * 50
ENTRY = """
[[tool]]
name = "{name}"
version = "1.0"
architecture = "{architecture}"
url = "{url}"
size = 0
sha256 = "{digest}"
form = "program"
programs.{name} = "{name}"
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PRIMETIME_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def lock_file(path: Path, url: str, digest: str) -> Path:
    here = platform.machine()
    other = {"x86_64": "aarch64"}.get(here, "x86_64")
    entries = [("pt-known", here, f"{url}/known", digest), ("pt-unknown", here, f"{url}/unknown", ""),
               ("pt-known", other, f"{url}/other", "0" * 64)]  # fmt: skip
    text = "".join(ENTRY.format(name=n, architecture=a, url=u, digest=d) for n, a, u, d in entries)
    path.write_text(text)
    return path


def test_install_list_verify(tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving({"known": PROGRAM, "unknown": PROGRAM}) as served:
        lock = ["--lock", str(lock_file(tmp_path / "l", served.url, hashlib.sha256(PROGRAM).hexdigest()))]
        assert main(["tools", "install", "pt-known", *lock]) == DONE
        assert main(["tools", "install", *lock]) == USER_MISTAKE
        said = capsys.readouterr()
        assert "nobody publishes its hash" in said.out
        assert "--accept-unverified pt-unknown" in said.err
        assert main(["tools", "install", *lock, "--accept-unverified", "pt-unknown"]) == DONE
    assert main(["tools", "verify", *lock]) == DONE
    [entry] = cache.glob("tool-pt-known-*[!k]")
    (entry / "tree/pt-known").write_bytes(b"changed")
    assert main(["tools", "verify", *lock]) == FAILED
    assert "changed: pt-known" in capsys.readouterr().out
    assert main(["tools", "list", *lock, "--json"]) == DONE
    rows = json.loads(capsys.readouterr().out)["tools"]
    assert [(row["name"], row["state"]) for row in rows] == [("pt-known", "installed"), ("pt-unknown", "installed")]


def test_a_damaged_entry_is_said_by_every_action(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = ["--lock", str(lock_file(tmp_path / "l", "http://192.0.2.1", hashlib.sha256(PROGRAM).hexdigest()))]
    (tmp_path / "known").write_bytes(PROGRAM)
    assert main(["tools", "install", "pt-known", "--from", str(tmp_path), *lock]) == DONE
    [entry] = cache.glob("tool-pt-known-*[!k]")
    (entry / "about.json").write_text("{")
    assert main(["tools", "verify", *lock]) == FAILED
    assert f"changed: about.json; remove {entry}" in capsys.readouterr().out
    assert main(["tools", "list", *lock]) == DONE
    assert f"damaged: remove {entry}" in capsys.readouterr().out
    assert main(["tools", "install", "pt-known", "--from", str(tmp_path), *lock]) == USER_MISTAKE


def test_a_program_that_is_gone_from_the_cache_is_a_sentence(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [tool] = [one for one in for_machine(locked_tools()) if one.name == "cloud-hypervisor"]
    entry_path(tool, Cache()).mkdir(parents=True)
    assert main(["tools", "list", "cloud-hypervisor"]) == DONE
    assert "is gone" in capsys.readouterr().out


def test_verify_looks_at_archives_before_anything_is_installed(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = ["--lock", str(lock_file(tmp_path / "l", "http://192.0.2.1", hashlib.sha256(PROGRAM).hexdigest()))]
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    (shelf / "known").write_bytes(PROGRAM)
    assert main(["tools", "verify", "--from", str(shelf), *lock]) == DONE
    assert "unknown: not there" in capsys.readouterr().out
    (shelf / "unknown").write_bytes(PROGRAM)
    assert main(["tools", "verify", "--from", str(shelf), *lock]) == DONE
    said = capsys.readouterr().out
    assert "known: as locked" in said
    assert "and none is published" in said
    (shelf / "known").write_bytes(PROGRAM[:-1])
    assert main(["tools", "verify", "--from", str(shelf), *lock]) == FAILED
    assert not cache.exists()


def test_verify_of_nothing_is_a_mistake(tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lock = ["--lock", str(lock_file(tmp_path / "l", "http://192.0.2.1", "0" * 64))]
    shelf = tmp_path / "shelf"
    assert main(["tools", "verify", "--from", str(shelf), *lock]) == USER_MISTAKE
    assert f"{shelf} is no directory" in capsys.readouterr().err
    shelf.mkdir()
    assert main(["tools", "verify", "--from", str(shelf), *lock]) == USER_MISTAKE
    said = capsys.readouterr().err
    assert "has none of the archives" in said
    assert "known, unknown" in said
    (shelf / "known").mkdir()
    assert main(["tools", "verify", "--from", str(shelf), *lock]) == USER_MISTAKE
    assert "is no regular file" in capsys.readouterr().err


def test_the_packages_own_list_is_shown_in_words(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tools", "list"]) == DONE
    said = capsys.readouterr().out
    assert "firecracker        1.16.1" in said
    assert "kata               4.0.0" in said


def test_what_nobody_published_is_said_in_the_list(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tools", "list", "--lock", str(lock_file(tmp_path / "l", "http://192.0.2.1", "0" * 64))]) == DONE
    said = capsys.readouterr().out
    assert "not published: install asks you" in said
    assert "size not known" in said


def test_an_unknown_name_is_the_users_mistake(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tools", "install", "qemu"]) == USER_MISTAKE
    assert "known tools: cloud-hypervisor, firecracker, kata" in capsys.readouterr().err
