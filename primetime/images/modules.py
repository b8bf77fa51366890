"""Kernel modules: which ones a guest needs, in the order in which they can be loaded.

The unpacked kernel package has no modules.dep, so `depends` is read from each module's own .modinfo
section. Source: Linux include/linux/module.h (MODULE_INFO), elf(5).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from primetime.errors import UserError
from primetime.images.vmlinux import ELF_MAGIC, inflate

SUFFIXES = (".ko", ".ko.xz", ".ko.gz", ".ko.zst")
REQUIRED = ("virtio_blk", "ext4")  # without these no guest finds its userland
WANTED = (
    # ext4 asks for its checksum by name, which an initrd without modprobe cannot answer: loaded before it
    "crc32c_generic", "crc32c_arm64", "crc32c_intel",
    "virtio_pci", "virtio_mmio", "virtio_blk", "virtio_net", "virtio_console", "virtio_rng",
    "ext4", "overlay", "vsock", "vmw_vsock_virtio_transport",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Module:
    """A module, uncompressed. `depends`: names of modules to be loaded before it."""

    name: str
    content: bytes
    depends: tuple[str, ...]


class ModuleTree:
    """/lib/modules/<version>, installed or only unpacked."""

    def __init__(self, directory: Path) -> None:
        self.paths = {module_name(path): path for path in module_files(directory)}
        builtin = directory / "modules.builtin"
        lines = builtin.read_text(encoding="utf-8").split() if builtin.is_file() else []
        self.builtin = {module_name(Path(line)) for line in lines}

    def read(self, name: str) -> Module:
        """Read one module. UserError when it is damaged or compressed in an unknown way."""
        path = self.paths[name]
        content = path.read_bytes()
        if not content.startswith(ELF_MAGIC):
            content = inflate(content) or b""
        info = modinfo(content)
        if not info:
            raise UserError(f"the kernel module {path} cannot be read", "unpack the kernel's package again")
        named = ",".join(value for key, value in info if key == "depends")
        soft = " ".join(value for key, value in info if key == "softdep")
        depends = [name for name in named.split(",") if name] + soft_dependencies(soft)
        return Module(name, content, tuple(canonical(name) for name in depends))

    def resolve(self, names: Iterable[str]) -> list[Module]:
        """Return the modules needed for `names`, each after what it depends on; built-in ones are left out."""
        found: dict[str, Module] = {}

        def add(name: str, above: frozenset[str]) -> None:
            if name in found or name in above or name in self.builtin or name not in self.paths:
                return
            module = self.read(name)
            for dependency in module.depends:
                add(dependency, above | {name})
            found[name] = module

        for name in names:
            add(canonical(name), frozenset())
        return list(found.values())

    def lacks(self, names: Iterable[str]) -> list[str]:
        """Return those of `names` that are neither a module here nor built in."""
        return [name for name in names if name not in self.paths and name not in self.builtin]


def guest_modules(directory: Path | None) -> list[Module]:
    """Return what our initrd loads; UserError when the kernel cannot serve as a guest.

    Without a directory of modules everything must be built in, which only a boot can show.
    """
    if directory is None:
        return []
    tree = ModuleTree(directory)
    lacking = tree.lacks(REQUIRED)
    if lacking:
        raise UserError(
            f"the kernel of {directory} has no {' and no '.join(lacking)}, so it cannot be a guest",
            "choose another kernel, or leave images.kernel out: Debian's own is the default",
        )
    return tree.resolve(WANTED)


def module_files(directory: Path) -> Iterator[Path]:
    """Yield every module file, in the order of names."""
    for path in sorted(directory.rglob("*.ko*")):
        if path.name.endswith(SUFFIXES):
            yield path


def canonical(name: str) -> str:
    """The kernel takes - and _ in a module's name for the same."""
    return name.strip().replace("-", "_")


def module_name(path: Path) -> str:
    """Return the name of the module in a file."""
    return canonical(path.name.split(".ko")[0])


def soft_dependencies(text: str) -> list[str]:
    """Return the names after "pre:" in softdep lines; these are wished for, not required."""
    found: list[str] = []
    wanted = False
    for word in text.split():
        if word.endswith(":"):
            wanted = word == "pre:"
        elif wanted:
            found.append(word)
    return found


def modinfo(module: bytes) -> list[tuple[str, str]]:
    """Return the (key, value) pairs of a 64-bit little-endian module's .modinfo section."""
    if not module.startswith(ELF_MAGIC + b"\x02\x01"):
        return []
    table = struct.unpack_from("<Q", module, 0x28)[0]
    size, count, names_index = struct.unpack_from("<HHH", module, 0x3A)
    headers = [struct.unpack_from("<II8x8xQQ", module, table + size * index) for index in range(count)]
    _, _, names_at, _ = headers[names_index]
    for name_offset, _, offset, length in headers:
        start = names_at + name_offset
        if module[start : module.index(b"\0", start)] == b".modinfo":
            entries = module[offset : offset + length].split(b"\0")
            pairs = (entry.decode("utf-8", "replace").partition("=") for entry in entries if entry)
            return [(key, value) for key, _, value in pairs]
    return []
