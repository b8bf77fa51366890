"""A container by crun: runc's bundle and settings, another runtime.

[environments.crun]
storage = "overlay"     # or "bind": a bind mount of the volume instead of the overlay's upper directory
seccomp = "default"     # or "none", a named variant
network = "path"        # or "host", the host's own network instead of the study's path: a named variant
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from primetime.environments.base import BootContext
from primetime.environments.oci import private_mounts
from primetime.environments.runc import Runc
from primetime.host.process import Placement

UNIFIED = Path("/sys/fs/cgroup/unified")  # where the hybrid layout mounts version 2 beside version 1


class Crun(Runc):
    """See the module."""

    kind = "crun"
    program = "crun"
    package = "crun"
    summary = "a container by crun"

    @contextmanager
    def entered(self, context: BootContext, placement: Placement) -> Iterator[list[str]]:  # noqa: ARG002
        """Start crun where it does not see a second cgroup hierarchy.

        It refuses the hybrid layout when version 2 has a controller there, be it one that nobody uses.
        Version 1, where our limits are, then serves it as on any older host.
        """
        controllers = UNIFIED / "cgroup.controllers"
        if not controllers.exists() or not controllers.read_text(encoding="ascii").strip():
            yield []
            return
        with private_mounts(placement, ["umount", str(UNIFIED)]) as enter:
            yield enter
