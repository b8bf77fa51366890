"""One file that holds the measuring half."""

from __future__ import annotations

import ast
import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from primetime.errors import UserError
from primetime.host.process import run
from primetime.images.bundle import write_bundle

AGAIN = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from primetime.images.bundle import write_bundle
from primetime.images.userland import package_data
assert package_data("ready").startswith(b"#!/bin/sh")
print(write_bundle(Path(sys.argv[2])))
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundle") / "primetime.pyz"
    write_bundle(path)
    return path


def test_equal_sources_give_equal_bytes(bundle: Path, tmp_path: Path) -> None:
    digest = write_bundle(tmp_path / "again.pyz")
    assert (tmp_path / "again.pyz").read_bytes() == bundle.read_bytes()
    assert digest == hashlib.sha256(bundle.read_bytes()).hexdigest()
    assert [path.name for path in tmp_path.iterdir()] == ["again.pyz"]


def test_it_holds_the_measuring_half_and_its_data_only(bundle: Path) -> None:
    names = zipfile.ZipFile(bundle).namelist()
    assert {
        "__main__.py",
        "primetime/errors.py",
        "primetime/images/data/agent.py",
        "primetime/images/data/init",
    } <= set(names)
    assert not [
        name for name in names if name.startswith(("primetime/analysis", "primetime/report")) or "pycache" in name
    ]
    for name in names:
        if name.endswith(".py"):
            ast.parse(zipfile.ZipFile(bundle).read(name), name)


def test_a_bundle_writes_itself_without_any_other_package(bundle: Path, tmp_path: Path) -> None:
    argv = [sys.executable, "-I", "-S", "-c", AGAIN, str(bundle), str(tmp_path / "again.pyz")]
    printed = run(argv, timeout_s=60).stdout.decode().strip()
    assert printed == hashlib.sha256(bundle.read_bytes()).hexdigest()
    assert (tmp_path / "again.pyz").read_bytes() == bundle.read_bytes()


def test_it_starts(bundle: Path) -> None:
    said = run([sys.executable, "-I", "-S", str(bundle), "--help"], timeout_s=60).stdout.decode()
    assert "primetime" in said


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be written"):
        write_bundle(tmp_path / "none" / "primetime.pyz")


@pytest.mark.parametrize("name", ["", "/", "."])
def test_a_name_that_is_none(name: str) -> None:
    with pytest.raises(UserError, match="names no file") as error:
        write_bundle(Path(name))
    assert error.value.hint


def test_only_a_regular_file_is_replaced(tmp_path: Path) -> None:
    """`-o /dev/null`, as root, once took the device's place."""
    pipe, link, directory = tmp_path / "pipe", tmp_path / "link", tmp_path / "directory"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    directory.mkdir()
    for place in (pipe, link, directory):
        before = place.lstat()
        with pytest.raises(UserError, match="is no regular file"):
            write_bundle(place)
        assert place.lstat() == before
    assert len(list(tmp_path.iterdir())) == 3


def test_a_disk_that_gets_full_keeps_nothing_of_it(tmp_path: Path) -> None:
    older = tmp_path / "primetime.pyz"
    older.write_bytes(b"the one before")
    code = f"""
import resource, signal, sys
from pathlib import Path
from primetime.errors import UserError
from primetime.images.bundle import write_bundle
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))  # writing stops in the middle, as on a full disk
try:
    write_bundle(Path({str(older)!r}))
except UserError as error:
    print(error.message)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert "cannot be written: File too large" in said.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["primetime.pyz"]
    assert older.read_bytes() == b"the one before"


def test_it_brings_the_file_program_for_devices_without_a_compiler(tmp_path: Path) -> None:
    bundle = tmp_path / "primetime.pyz"
    write_bundle(bundle, {"arm64": b"program"})
    code = "import sys; sys.path.insert(0, sys.argv[1]); from primetime.images.file_program import prebuilt"
    asked = f"{code}; print(prebuilt('arm64'), prebuilt('amd64'))"
    assert run([sys.executable, "-I", "-S", "-c", asked, str(bundle)], timeout_s=60).stdout == b"b'program' None\n"
