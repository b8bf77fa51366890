"""What `setup` finds missing, says and asks; that it installs is shown by scripts/test itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from primetime.campaign.setup_packages import Need, install_command, lab_needs, last_error, missing, needs
from primetime.cli.setup import announce, ask, require_means
from primetime.errors import UserError

THERE = Need("coreutils", "for tests", ("true", "env"))
ABSENT = Need("primetime-nothing", "for tests", ("primetime-no-such-program",))
NO_FILE = Need("primetime-keys", "for tests", files=(Path("/nonexistent/keys.gpg"),))
HALF = Need("primetime-half", "for tests", ("true", "primetime-no-such-program"))


def test_missing_is_what_does_not_give_what_it_should() -> None:
    assert missing([THERE, ABSENT, NO_FILE, HALF]) == (ABSENT, NO_FILE, HALF)


def test_every_need_can_be_recognised_and_explained() -> None:
    every = (*needs(), *lab_needs())
    for need in every:
        assert need.programs or need.files
        assert need.purpose
    packages = [need.package for need in every]
    assert len(set(packages)) == len(packages)


def test_without_root_the_exact_command_is_said() -> None:
    with pytest.raises(UserError) as error:
        require_means([ABSENT, NO_FILE], has_apt=True, is_root=False)
    assert error.value.hint == f"run: sudo {install_command([ABSENT, NO_FILE])}"
    assert error.value.hint.endswith("primetime-nothing primetime-keys")


@pytest.mark.parametrize("is_root", [True, False])
def test_without_apt_the_missing_programs_are_said(is_root: bool) -> None:
    with pytest.raises(UserError, match=r"primetime-no-such-program, /nonexistent/keys\.gpg"):
        require_means([ABSENT, NO_FILE], has_apt=False, is_root=is_root)


def test_with_root_and_apt_there_is_nothing_to_say() -> None:
    require_means([ABSENT], has_apt=True, is_root=True)


def test_nobody_there_to_ask() -> None:
    with pytest.raises(UserError) as error:  # pytest's own stdin is no terminal
        ask()
    assert error.value.hint == "primetime setup --yes"


def test_what_will_be_installed_is_said_first(capsys: pytest.CaptureFixture[str]) -> None:
    announce([ABSENT, NO_FILE])
    said = capsys.readouterr().out
    assert "primetime-nothing" in said
    assert "primetime-keys" in said


@pytest.mark.parametrize(
    ("stderr", "words"),
    [
        (b"W: old\nE: Unable to locate package x\nE: more\n", "E: Unable to locate package x"),
        (b"something\nthe end\n", "the end"),
        (b"", "it said nothing"),
    ],
)
def test_what_apt_said(stderr: bytes, words: str) -> None:
    assert last_error(stderr) == words
