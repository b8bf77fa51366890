"""A container by runc under containerd: what containerd itself adds to runc, and what Kata is to be compared with.

[environments.containerd-runc]
storage = "overlay"          # or "bind": a bind mount of the volume instead of the snapshot
seccomp = "default"          # or "none", a named variant
snapshotter = "overlayfs"    # or "devmapper": the root is a block device cut from a thin pool on the volume
pool_mib = 1024              # devmapper: size of the pool and of the root; userland and files must fit

containerd is our own, private one; the host's is not touched.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from primetime.environments.base import DATA_DIRECTORY, Attachment, BootContext, Environment, Instance, Setting, Storage
from primetime.environments.bundle import translate_seccomp
from primetime.environments.containerd import DEVMAPPER, OVERLAYFS
from primetime.environments.containerd_container import CtrContainer, Launch, started
from primetime.host.process import find_program, run
from primetime.host.thin_pool import missing_thin_pool
from primetime.model import Usability, Usable

POOL_MIB = 1024


class ContainerdRunc(Environment):
    """See the module."""

    kind = "containerd-runc"
    summary = "a container by runc under a private containerd"
    storage = Storage.DIRECTORY
    attachment = Attachment.NAMESPACE
    programs: ClassVar[tuple[str, ...]] = ("containerd", "ctr", "containerd-shim-runc-v2", "runc")
    settings = (
        Setting("storage", "overlay", ("overlay", "bind"), "where the workload's files lie"),
        Setting("seccomp", "default", ("default", "none"), "the system call filter", ("none",)),
        Setting("snapshotter", OVERLAYFS, (OVERLAYFS, DEVMAPPER), "what the root file system is made of"),
        Setting("pool_mib", POOL_MIB, (), "size of the devmapper pool, and of the root in it, in MiB"),
    )

    def notes(self) -> tuple[str, ...]:
        snapshotter = str(self.values["snapshotter"])
        return () if snapshotter == OVERLAYFS else (snapshotter,)

    def bypasses_host_cache(self) -> bool:
        return True  # an overlay passes O_DIRECT on to the file below, a pool's loop device is opened so

    def pool_bytes(self) -> int:
        return int(self.values["pool_mib"]) << 20 if self.values["snapshotter"] == DEVMAPPER else 0

    def missing(self) -> Usability | None:
        return missing_containerd(self.kind, self.programs, str(self.values["snapshotter"]))

    def usable(self) -> Usability:
        runc = run(["runc", "--version"], timeout_s=20).stdout.decode().split()[2]
        return Usability(self.kind, Usable.YES, versions={"containerd": containerd_version(), "runc": runc})

    @contextmanager
    def boot(self, context: BootContext) -> Iterator[Instance]:
        options = ["--runc-root", str(context.directory / "state")]
        if self.values["seccomp"] == "default":
            profile = context.directory / "seccomp.json"
            rules = json.loads(context.images.seccomp.read_text(encoding="utf-8"))
            profile.write_text(json.dumps(translate_seccomp(rules, platform.machine())), encoding="utf-8")
            options += ["--seccomp", "--seccomp-profile", str(profile)]
        if self.values["storage"] == "bind":
            data = context.volume / "data"
            data.mkdir(exist_ok=True)
            options += ["--mount", f"type=bind,src={data},dst={DATA_DIRECTORY},options=rbind:rw"]
        launch = Launch(options, str(self.values["snapshotter"]), int(self.values["pool_mib"]))
        with started(context, launch, CtrContainer) as container:
            yield container


def missing_containerd(kind: str, programs: tuple[str, ...], snapshotter: str) -> Usability | None:
    """What this device lacks for containers under a private containerd; None when it is worth trying."""
    for program in programs:
        if find_program(program) is None:
            return Usability(kind, Usable.NO, f"{program} is not installed", "apt-get install containerd runc")
    if snapshotter == DEVMAPPER:
        reason, remedy = missing_thin_pool()
        if reason:
            return Usability(kind, Usable.NO, f'snapshotter = "{DEVMAPPER}": {reason}', remedy)
    return None


def containerd_version() -> str:
    """The daemon's own word."""
    return run(["containerd", "--version"], timeout_s=20).stdout.decode().split()[2].removeprefix("v")
