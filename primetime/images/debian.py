"""Debian packages as a tree of files: unpacked by mmdebstrap, no maintainer script is ever run.

So one build serves every architecture, and nothing of the host is changed.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from primetime.errors import CommandFailed, UserError
from primetime.host.lock import require_root
from primetime.host.process import require_program, run

SUITE = "trixie"
COMPONENTS = "main"
CODE_NAMES = ("bullseye", "bookworm", "trixie", "forky", "duke", "sid", "stable", "testing", "unstable")
SOURCES = Path("/etc/apt")
UNPACK_LIMIT_S = 1800.0  # a slow line on a small board
ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def debian_architecture(machine: str | None = None) -> str:
    """Return Debian's name of an architecture as the kernel calls it, by default this machine's."""
    named = machine or platform.machine()
    if named not in ARCHITECTURES:
        raise UserError(f"there are no images for the architecture {named}", "primetime runs on x86_64 and aarch64")
    return ARCHITECTURES[named]


def unpack(tree: Path, architecture: str, packages: Iterable[str]) -> None:
    """Unpack `packages` and what they need into the empty directory `tree`.

    UserError when mmdebstrap is missing, we are not root, or the packages cannot be had.
    """
    program = require_program("mmdebstrap", "apt-get install mmdebstrap, or: primetime setup")
    require_root("setup")
    mirror = host_mirror(SOURCES)
    argv = [
        program,
        "--quiet",
        "--mode=root",
        "--variant=extract",
        "--skip=check/qemu",  # nothing of a foreign architecture is ever run
        "--skip=cleanup/apt/cache",  # the archives' names are the manifest
        f"--architectures={architecture}",
        f"--components={COMPONENTS}",
        f"--include={','.join(packages)}",
        '--aptopt=Acquire::Check-Valid-Until "false"',  # a mirror that is a snapshot has expired
        '--aptopt=Acquire::Retries "3"',
        SUITE,
        str(tree),
        *([mirror] if mirror else []),
    ]
    try:
        run(argv, timeout_s=UNPACK_LIMIT_S)
    except CommandFailed as error:
        raise UserError(
            f"the packages of the {SUITE} userland cannot be had: {last_error(error.stderr)}",
            "see that apt-get update works, and that debian-archive-keyring is installed",
        ) from error


def last_error(stderr: bytes) -> str:
    """Return the most telling line of mmdebstrap's and apt's output."""
    lines = [line.strip() for line in stderr.decode(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("E:")]
    return (errors or lines or ["mmdebstrap said nothing"])[0]


def take_manifest(tree: Path) -> dict[str, str]:
    """Return package → version of what was unpacked, and remove the archives that say so."""
    archives = sorted((tree / "var/cache/apt/archives").glob("*.deb"))
    found = dict(archive_name(path.name) for path in archives)
    for path in archives:
        path.unlink()
    return found


def archive_name(filename: str) -> tuple[str, str]:
    """Split "name_1%3a2.3-4_amd64.deb" into name and version. apt escapes the epoch's colon."""
    name, version, _ = filename.removesuffix(".deb").split("_")
    return name, unquote(version)


def host_mirror(directory: Path) -> str:
    """Return the URI of the Debian archive that the host's apt uses, "" where it uses none.

    `directory` is /etc/apt. The security archive and third parties' archives are passed over: an entry
    counts when its path ends in /debian and one of its suites is a Debian code name.
    """
    for uri, suites in entries(directory):
        if urlsplit(uri).path.rstrip("/").endswith("/debian") and any(is_debian(suite) for suite in suites):
            return uri
    return ""


def is_debian(suite: str) -> bool:
    """Whether a suite ("bookworm-updates") is Debian's own."""
    return suite.split("-")[0] in CODE_NAMES


def entries(directory: Path) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield (URI, suites) of every binary entry of apt's sources, in apt's order."""
    lists = [directory / "sources.list", *sorted((directory / "sources.list.d").glob("*.list"))]
    for path in lists:
        if path.is_file():
            yield from one_line_entries(path.read_text(encoding="utf-8", errors="replace"))
    for path in sorted((directory / "sources.list.d").glob("*.sources")):
        yield from deb822_entries(path.read_text(encoding="utf-8", errors="replace"))


def one_line_entries(text: str) -> Iterator[tuple[str, Sequence[str]]]:
    """Parse the one-line form: deb [options] URI suite component… Source: sources.list(5)."""
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[[^\]]*\]\s*)?(\S+)\s+(\S+)", line)
        if match:
            yield match[1], (match[2],)


def deb822_entries(text: str) -> Iterator[tuple[str, Sequence[str]]]:
    """Parse the deb822 form. Source: sources.list(5)."""
    for paragraph in paragraphs(text):
        if "deb" in paragraph.get("Types", "").split() and paragraph.get("Enabled", "yes").lower() != "no":
            for uri in paragraph.get("URIs", "").split():
                yield uri, paragraph.get("Suites", "").split()


def paragraphs(text: str) -> Iterator[dict[str, str]]:
    """Parse Debian control paragraphs: fields with continuation lines, comment lines dropped."""
    fields: dict[str, str] = {}
    name = ""
    for line in [*text.splitlines(), ""]:
        if line.startswith("#"):
            continue
        if not line.strip():
            if fields:
                yield fields
            fields, name = {}, ""
        elif line[0].isspace():
            fields[name] = f"{fields.get(name, '')}\n{line.strip()}"
        else:
            name, _, value = line.partition(":")
            fields[name] = value.strip()
