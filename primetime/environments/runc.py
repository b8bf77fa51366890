"""A container by runc, as users have it: overlayfs on the volume, default seccomp profile and capabilities.

[environments.runc]
storage = "overlay"     # or "bind": a bind mount of the volume instead of the overlay's upper directory
seccomp = "default"     # or "none", a named variant
network = "path"        # or "host", the host's own network instead of the study's path: a named variant
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from primetime.environments.base import BootContext, Setting
from primetime.environments.oci import NETWORK, OciEnvironment
from primetime.host.process import find_program, run
from primetime.model import Usability, Usable


class Runc(OciEnvironment):
    """See the module."""

    kind = "runc"
    program: ClassVar[str] = "runc"
    package: ClassVar[str] = "runc"
    summary = "a container by runc"
    settings = (
        Setting("storage", "overlay", ("overlay", "bind"), "where the workload's files lie"),
        Setting("seccomp", "default", ("default", "none"), "the system call filter", ("none",)),
        NETWORK,
    )

    def missing(self) -> Usability | None:
        if find_program(self.program) is None:
            return Usability(
                self.kind, Usable.NO, f"{self.program} is not installed", f"apt-get install {self.package}"
            )
        return None

    def usable(self) -> Usability:
        words = run([self.program, "--version"], timeout_s=20).stdout.decode().split()
        return Usability(self.kind, Usable.YES, versions={self.program: words[2]})

    def runtime(self, context: BootContext) -> list[str]:
        return [self.program, "--root", str(context.directory / "state")]

    def seccomp(self, context: BootContext) -> Path | None:
        return context.images.seccomp if self.values["seccomp"] == "default" else None
