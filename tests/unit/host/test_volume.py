"""What is read of the device under a volume."""

from __future__ import annotations

from pathlib import Path

from primetime.host.volume import scheduler


def test_the_scheduler_in_force(tmp_path: Path) -> None:
    (tmp_path / "scheduler").write_text("none [mq-deadline] kyber\n")
    assert scheduler(tmp_path) == "mq-deadline"


def test_a_device_of_device_mapper_has_no_scheduler_to_choose(tmp_path: Path) -> None:
    assert scheduler(tmp_path) == "none"
