"""How a container by an OCI runtime ends; real runtimes are in tests/host."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from primetime.environments import oci
from primetime.environments.base import BootContext
from primetime.environments.chroot import checked
from primetime.environments.oci import Container
from primetime.errors import CommandTimeout
from primetime.host.process import Placement, Spawning, spawn
from primetime.model import Command, Outcome


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


def test_what_a_program_said_until_it_was_killed_is_kept() -> None:
    with pytest.raises(CommandTimeout) as caught:
        checked(Command(("fio",), 1.0), Outcome(137, b"half of it", b"a warning", 10.0, 11.5))
    assert (caught.value.stdout, caught.value.stderr) == (b"half of it", b"a warning")
