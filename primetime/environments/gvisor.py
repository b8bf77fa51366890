"""A container by gVisor's runsc: its own kernel in user space.

    [environments.gvisor]
    platform = "systrap"    # or "kvm", "ptrace"
    overlay2 = "none"       # "root:self" keeps writes to the root in memory: a named variant
    storage = "bind"        # "overlay" puts the workload's files into the root, where overlay2 acts on them: a variant
    network = "path"        # "host": the host's own network stack instead of gVisor's: a named variant

gVisor does not pass O_DIRECT on to the host, so its direct points are served by the host's page cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from primetime.environments.base import Attachment, BootContext, Setting
from primetime.environments.oci import NETWORK, OciEnvironment, private_mounts
from primetime.host.process import Placement, find_program, run
from primetime.images.guest import GuestImages
from primetime.model import Usability, Usable

IN_MEMORY = ("root:self", "root:memory", "all:memory")
ROOT_NAMESPACE_SIGN = "/proc/sys/net/core"


class Gvisor(OciEnvironment):
    """See the module."""

    kind = "gvisor"
    summary = "a container on gVisor's user-space kernel"
    settings = (
        Setting("platform", "systrap", ("systrap", "kvm", "ptrace"), "how system calls are intercepted"),
        Setting("overlay2", "none", ("none", *IN_MEMORY), "where writes to the root go", IN_MEMORY),
        Setting("storage", "bind", ("bind", "overlay"), "where the workload's files lie", ("overlay",)),
        NETWORK,
    )
    program = ""

    def notes(self) -> tuple[str, ...]:
        return (str(self.values["platform"]),)

    def bypasses_host_cache(self) -> bool:
        return False

    def missing(self) -> Usability | None:
        return None  # runsc comes out of the userland's package set; a host's own runsc is preferred

    def usable(self) -> Usability:
        words = run([self.program, "--version"], timeout_s=20).stdout.decode().split()
        return Usability(self.kind, Usable.YES, versions={"runsc": words[2]})

    def runtime(self, context: BootContext) -> list[str]:
        self.program = find_runsc(context.images)
        return [
            self.program,
            f"--root={context.directory / 'state'}",
            f"--platform={self.values['platform']}",
            f"--overlay2={self.values['overlay2']}",
            f"--network={'host' if self.attachment is Attachment.HOST else 'sandbox'}",
        ]

    def seccomp(self, context: BootContext) -> Path | None:  # noqa: ARG002 - the sentry brings its own filter
        return None

    @contextmanager
    def entered(self, context: BootContext, placement: Placement) -> Iterator[list[str]]:
        """Start runsc where it does not mistake the boot's network namespace for the root's own.

        It takes a visible /proc/sys/net/core/rmem_default for the root namespace, but newer kernels show
        that file in every namespace; so it runs in a mount namespace in which that directory is covered.
        """
        if self.attachment is Attachment.HOST:
            yield []
            return
        cover = ["mount", "-t", "tmpfs", "tmpfs", ROOT_NAMESPACE_SIGN]
        with private_mounts(placement, cover, context.connection.namespace) as enter:
            yield enter


def find_runsc(images: GuestImages) -> str:
    """Return the runsc of the image cache (the same for every host), else this host's own."""
    return str(images.runsc) if images.runsc else find_program("runsc") or "runsc"
