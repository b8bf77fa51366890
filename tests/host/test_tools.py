"""A disk that fills while a tool is installed: a clear error, and the cache as before."""

from __future__ import annotations

import hashlib
import io
import os
import platform
import sys
import tarfile
from pathlib import Path

import pytest

from primetime.host.process import Spawning, run
from tests.unit.images.archive_server import serving

ROOM = 1 << 20
SCRIPT = """
mount -t tmpfs -o size={room} tmpfs {cache}
mkdir {cache}/other-entry
{python} -m primetime tools install thing --lock {lock}
code=$?
find {cache} -not -name '*.lock' | sort
exit $code
"""
ENTRY = """
[[tool]]
name = "thing"
version = "1.0"
architecture = "{architecture}"
url = "{url}/thing.tgz"
size = 0
sha256 = "{digest}"
form = "tgz"
programs.thing = "thing"
"""


def archive(size: int, compressible: bool) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        info = tarfile.TarInfo("thing")
        info.size = size
        tar.addfile(info, io.BytesIO(bytes(size) if compressible else os.urandom(size)))
    return buffer.getvalue()


@pytest.mark.parametrize("full", ["while fetching", "while unpacking"])
def test_a_full_disk(tmp_path: Path, full: str) -> None:
    content = archive(3 * ROOM, compressible=full == "while unpacking")
    cache = tmp_path / "cache"
    cache.mkdir()
    with serving({"thing.tgz": content}) as served:
        lock = tmp_path / "lock.toml"
        digest = hashlib.sha256(content).hexdigest()
        lock.write_text(ENTRY.format(architecture=platform.machine(), url=served.url, digest=digest))
        script = SCRIPT.format(room=ROOM, cache=cache, python=sys.executable, lock=lock)
        how = Spawning(env={"PRIMETIME_CACHE": str(cache)}, cwd=Path(__file__).parents[2])
        argv = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]
        outcome = run(argv, timeout_s=60, check=False, spawning=how)
    said = outcome.stderr.decode()
    assert outcome.returncode == 2, said
    assert "no room" in said
    assert "hint: make room" in said
    left = outcome.stdout.decode().split("\n")
    kept = [line for line in left if line.startswith(str(cache)) and not line.endswith((".part", "downloads"))]
    assert kept == [str(cache), f"{cache}/other-entry"]
    assert list(cache.iterdir()) == [], "the full disk was this test's own"
