"""`init` writes a study that can be planned as it is, and never over another file."""

from __future__ import annotations

from pathlib import Path

import pytest

from primetime.campaign.study_file import load_study
from primetime.cli import DONE, USER_MISTAKE, main


def test_what_it_writes_is_a_study(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.toml"
    assert main(["init", str(path)]) == DONE
    assert str(path) in capsys.readouterr().out
    study = load_study(str(path))
    assert {spec.kind for spec in study.environments} == {"native", "runc", "gvisor", "qemu"}
    assert len(study.points) == 5
    assert (study.stopping.min_blocks, study.stopping.max_blocks) == (10, 20)


def test_what_it_has_in_comments_is_right_too(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    main(["init", str(path)])
    text = path.read_text()
    for line in ("[environments.qemu-cached]", 'kind = "qemu"', 'cache = "writeback"'):
        assert f"# {line}" in text
        text = text.replace(f"# {line}", line)
    path.write_text(text)
    assert [spec.label for spec in load_study(str(path)).environments if spec.settings] == ["qemu-cached"]


def test_it_never_overwrites(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("mine")
    assert main(["init", str(path)]) == USER_MISTAKE
    assert path.read_text() == "mine"
    assert "exists already" in capsys.readouterr().err


def test_a_place_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(tmp_path / "no" / "mine.toml")]) == USER_MISTAKE
    assert "No such file or directory" in capsys.readouterr().err


def test_a_name_that_is_no_text_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(tmp_path / "\udcff.toml")]) == USER_MISTAKE
    assert "is not UTF-8" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
