"""A VMM's program on this host: where it lies, its version, its hash, and how it was found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from primetime.errors import CommandFailed, CommandTimeout, UserError
from primetime.host.hypervisor import Version, parse_version
from primetime.host.process import run
from primetime.images.tools import Found, find_tool
from primetime.model import Fact

VERSION_LIMIT_S = 20.0


@dataclass(frozen=True, slots=True)
class VmmProgram:
    """A program that has told its version."""

    name: str
    found: Found
    version: Version

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.found.path

    def facts(self) -> tuple[Fact, ...]:
        """Which program this was."""
        return (Fact(f"{self.name}.sha256", self.found.sha256), Fact(f"{self.name}.from", self.found.origin))


def find_vmm(name: str, named: str) -> VmmProgram | None:
    """Return the VMM that a study names, or that is installed here; None when there is none.

    UserError when what is there is for another architecture, or does not start.
    """
    found = find_tool(name, named)
    if found is None:
        return None
    hint = f"primetime tools install {name}"
    try:
        outcome = run([str(found.path), "--version"], timeout_s=VERSION_LIMIT_S)
    except (CommandFailed, CommandTimeout, OSError) as error:
        raise UserError(f"{found.path} does not start: {error}", hint) from None
    except UserError:  # it is there, so what is missing is the loader that it names
        raise UserError(f"{found.path} does not start: its own loader is not on this host", hint) from None
    version = told_version(outcome.stdout.decode(errors="replace"))
    if not version:
        raise UserError(f"{found.path} does not say its version", hint)
    return VmmProgram(name, found, version)


def told_version(output: str) -> Version:
    """Return the version in "Firecracker v1.16.1" or "cloud-hypervisor v53.0.0"; () when there is none."""
    for word in output.split():
        version = parse_version(word)
        if len(version) > 1:
            return version
    return ()
