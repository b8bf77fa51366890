"""How a container by an OCI runtime ends; real runtimes are in tests/host."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from primetime.environments import oci
from primetime.environments.base import BootContext
from primetime.environments.oci import Container
from primetime.host.process import Placement, Spawning, spawn


def test_a_runtime_that_hangs_does_not_hide_why_a_container_was_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oci, "END_LIMIT_S", 0.05)
    runtime = tmp_path / "hung"
    runtime.write_text("#!/bin/sh\nexec sleep 60\n")
    runtime.chmod(0o755)
    boot = cast(BootContext, SimpleNamespace(name="b1", directory=tmp_path))
    with spawn(["sleep", "60"], Spawning()) as main:
        Container(boot, [str(runtime)], Placement()).end(main)
