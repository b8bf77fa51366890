"""The initrd: busybox, the modules that a guest needs, our init and the agent. Nothing else."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

from primetime.images import cpio
from primetime.images.cache import Cache, file_hash
from primetime.images.kernel import Kernel
from primetime.images.modules import WANTED, Module, guest_modules
from primetime.images.userland import package_data

FORMAT = 1
COMPRESSION = 6
EMPTY = ("dev", "proc", "sys", "root", "modules")


@dataclass(frozen=True, slots=True)
class Initrd:
    """A finished entry. `agent` is the agent as it lies in the image."""

    image: Path
    agent: Path


def guest_initrd(cache: Cache, kernel: Kernel, busybox: Path) -> Initrd:
    """Return the initrd for a kernel, building it when it is absent (about a second)."""
    init, agent = package_data("init"), package_data("agent.py")
    material = {
        "format": FORMAT,
        "kernel": kernel.sha256,
        "modules": str(kernel.modules and kernel.modules.parent.name),
        "wanted": list(WANTED),
        "busybox": file_hash(busybox),
        "init": init.decode(),
        "agent": agent.decode(),
    }

    def build(entry: Path) -> None:
        members = initrd_members(busybox.read_bytes(), guest_modules(kernel.modules))
        members += [cpio.file("init", init, 0o755), cpio.file("agent.py", agent)]
        image = gzip.compress(cpio.archive(members), COMPRESSION, mtime=0)
        (entry / "initrd.img").write_bytes(image)
        (entry / "agent.py").write_bytes(agent)

    entry = cache.entry("initrd", material, build)
    return Initrd(entry / "initrd.img", entry / "agent.py")


def initrd_members(busybox: bytes, modules: list[Module]) -> list[cpio.Member]:
    """Return all members but our own two files."""
    names = [f"{module.name}.ko" for module in modules]
    return [
        *(cpio.directory(name) for name in EMPTY),
        cpio.character_device("dev/console", 5, 1),
        cpio.file("busybox", busybox, 0o755),
        *(cpio.file(f"modules/{name}", module.content) for name, module in zip(names, modules, strict=True)),
        cpio.file("modules/order", "".join(f"{name}\n" for name in names).encode()),
    ]
