"""What primetime itself costs: not what the programs cost that it has started."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from primetime.instruments.observer import Observer

SIZE = 4 << 20
WRITER = (
    "import os, sys; fd = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY); os.write(fd, bytes({size})); os.fsync(fd)"
)


def test_what_a_child_wrote_is_not_ours(tmp_path: Path) -> None:
    observer = Observer()
    if reason := observer.unavailable():
        pytest.skip(reason)
    before = observer.parse(observer.read())
    subprocess.run([sys.executable, "-c", WRITER.format(size=SIZE), str(tmp_path / "file")], check=True)
    after = observer.parse(observer.read())
    written = next(one.value for one in observer.window(before, after, 1.0) if one.metric.name == "observer_written")
    assert written < SIZE
