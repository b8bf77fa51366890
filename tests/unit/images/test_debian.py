"""Which mirror the host's apt uses, and what was unpacked."""

from __future__ import annotations

from pathlib import Path

import pytest

from primetime.errors import UserError
from primetime.images.debian import archive_name, debian_architecture, host_mirror, last_error, take_manifest

MIRROR = "http://mirror.example/debian"


def sources(directory: Path, **files: str) -> Path:
    (directory / "sources.list.d").mkdir()
    for name, text in files.items():
        stem, _, suffix = name.rpartition("_")
        path = directory / ("sources.list" if stem == "main" else f"sources.list.d/{stem}.{suffix}")
        path.write_text(text)
    return directory


def test_deb822(tmp_path: Path) -> None:
    text = f"Types: deb deb-src\n# a comment\nURIs: {MIRROR}\nSuites: bookworm\n bookworm-updates\nComponents: main\n"
    assert host_mirror(sources(tmp_path, debian_sources=text)) == MIRROR


def test_one_line_with_options(tmp_path: Path) -> None:
    text = f"# deb http://old.example/debian buster main\n  deb [ arch=amd64 signed-by=/k.gpg ] {MIRROR}/ trixie main\n"
    assert host_mirror(sources(tmp_path, main_list=text)) == f"{MIRROR}/"


@pytest.mark.parametrize(
    "text",
    [
        "deb http://packages.example/apt bookworm main\n",  # a third party with Debian's suite names
        "deb http://mirror.example/debian-security bookworm-security main\n",
        "deb http://mirror.example/debian nodistro main\n",
        "deb-src http://mirror.example/debian bookworm main\n",
        "deb http://mirror.example/ubuntu noble main\n",
        "",
    ],
)
def test_passed_over(tmp_path: Path, text: str) -> None:
    assert host_mirror(sources(tmp_path, main_list=text)) == ""


def test_disabled_and_source_paragraphs_are_passed_over(tmp_path: Path) -> None:
    paragraph = f"Types: {{}}\nURIs: {MIRROR}\nSuites: trixie\nEnabled: {{}}\n"
    text = "\n".join((paragraph.format("deb", "no"), paragraph.format("deb-src", "yes")))
    assert host_mirror(sources(tmp_path, debian_sources=text)) == ""


def test_no_apt_at_all(tmp_path: Path) -> None:
    assert host_mirror(tmp_path / "none") == ""


def test_third_parties_do_not_hide_debian(tmp_path: Path) -> None:
    third = "deb https://third.example/apt stable main\n"
    debian = f"Types: deb\nURIs: {MIRROR}\nSuites: bookworm\n"
    assert host_mirror(sources(tmp_path, a_list=third, debian_sources=debian)) == MIRROR


def test_manifest_comes_from_the_archives(tmp_path: Path) -> None:
    archives = tmp_path / "var/cache/apt/archives"
    archives.mkdir(parents=True)
    for name in ("fio_3.39-1_amd64.deb", "passwd_1%3a4.17.4-2_amd64.deb"):
        (archives / name).touch()
    assert take_manifest(tmp_path) == {"fio": "3.39-1", "passwd": "1:4.17.4-2"}
    assert list(archives.iterdir()) == []


def test_archive_name() -> None:
    assert archive_name("libssl3t64_3.5.4-1~deb13u1_arm64.deb") == ("libssl3t64", "3.5.4-1~deb13u1")


def test_the_first_error_of_apt_is_told() -> None:
    said = b"I: running apt\nE: Unable to locate package nothing\nE: apt-get failed\n"
    assert last_error(said) == "E: Unable to locate package nothing"
    assert last_error(b"") == "mmdebstrap said nothing"


def test_architectures() -> None:
    assert debian_architecture("x86_64") == debian_architecture("amd64") == "amd64"
    assert debian_architecture("aarch64") == "arm64"
    with pytest.raises(UserError, match="riscv64"):
        debian_architecture("riscv64")
