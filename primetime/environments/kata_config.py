"""Kata's configuration for one boot: its installation's own file, and beside it a drop-in with what a study fixes.

Two of Kata's defaults silently change what is measured, so both are always said (seen with Kata 4.1.0):
QEMU's file has `disable_block_device_use = true`, with which a devmapper root travels over virtio-fs; and
Firecracker's driver does not read the file's `block_device_cache_*`, only annotations, so that its own
default (flushes are not passed on) is in force.
Source: kata-containers docs/how-to/how-to-set-sandbox-config-kata.md, src/runtime/pkg/katautils (config.d).
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from primetime.environments.containerd import DEVMAPPER, OVERLAYFS
from primetime.errors import BootFailed, UserError
from primetime.images.cache import Cache, file_hash
from primetime.images.tools import cached_program
from primetime.model import Limits, Scalar

GO, RUST = "go", "rust"
SAFE, KATAS_OWN, UNSAFE = "safe", "kata-default", "unsafe"
VIRTIO_FS, NO_SHARING = "virtio-fs", "none"
QEMU, CLOUD_HYPERVISOR, FIRECRACKER, DRAGONBALL = "qemu", "clh", "fc", "dragonball"
SECTIONS = {QEMU: "qemu", CLOUD_HYPERVISOR: "clh", FIRECRACKER: "firecracker", DRAGONBALL: "dragonball"}
DEFAULTS = Path("share/defaults/kata-containers")
FILES = {  # below the installation; the first that is there. Source: src/runtime/config, src/runtime-rs/config
    GO: ("configuration-{0}.toml",),
    RUST: (
        "runtime-rs/configuration-{0}-runtime-rs.toml",
        "runtime-rs/configuration-rs-{0}.toml",
        "runtime-rs/configuration-{0}.toml",
    ),
}
USUAL = Path("/opt/kata")
SHIM = "containerd-shim-kata-v2"
SHIMS = {GO: "bin", RUST: "runtime-rs/bin"}  # directories with the shim
ANNOTATION = "io.katacontainers.config.hypervisor"
SMALLEST_MACHINE = 256 << 20  # MinHypervisorMemory of src/runtime/virtcontainers/hypervisor.go
PARTS = ("path", "kernel", "image", "initrd")  # what a hypervisor's table names by path
CACHE_KEYS = ("block_device_cache_set", "block_device_cache_direct", "block_device_cache_noflush")


@dataclass(frozen=True, slots=True)
class KataChoice:
    """A study's settings, by name."""

    hypervisor: str
    snapshotter: str
    shared_fs: str
    cache: str
    runtime: str
    install: str  # "": where it is usually, else what `primetime tools install kata` brought

    def conflict(self) -> tuple[str, str]:
        """Why these settings cannot stand together, and the way out; ("", "") when they can."""
        if self.snapshotter == OVERLAYFS and self.shared_fs == NO_SHARING:
            return (
                'an overlayfs root reaches the guest by shared_fs = "virtio-fs" only',
                'set shared_fs = "virtio-fs", or snapshotter = "devmapper"',
            )
        if self.hypervisor == FIRECRACKER and (self.snapshotter, self.shared_fs) != (DEVMAPPER, NO_SHARING):
            return (
                "Firecracker has no shared file system, so Kata needs a block device there",
                'set snapshotter = "devmapper" and shared_fs = "none"',
            )
        if self.hypervisor == DRAGONBALL and self.runtime == GO:
            return "Dragonball is part of the Rust runtime", 'set runtime = "rust"'
        if self.snapshotter == OVERLAYFS and self.cache != SAFE:  # it would be printed, and change nothing
            return (
                f'cache = "{self.cache}" is of a block device, and an overlayfs root has none',
                'leave cache out, or set snapshotter = "devmapper" and shared_fs = "none"',
            )
        return "", ""

    def runtimes(self) -> tuple[str, ...]:
        """The runtimes to look for, the preferred one first: since Kata 4 the Rust one is its default."""
        if self.runtime in (GO, RUST):
            return (self.runtime,)
        return (RUST,) if self.hypervisor == DRAGONBALL else (RUST, GO)


@dataclass(frozen=True, slots=True)
class KataInstallation:
    """What was found: where, the runtime's kind, the directory of its shim, and its own configuration."""

    root: Path
    runtime: str
    shims: Path
    configuration: Path

    def text(self) -> str:
        """Its own file, which names kernel, image and programs below the usual place: here where they are."""
        return self.configuration.read_text(encoding="utf-8").replace(f"{USUAL}/", f"{self.root}/")


def installation_roots(choice: KataChoice, cache: Cache | None = None) -> tuple[Path, ...]:
    """Where to look: what the study names, else Kata's usual place, else the tools' cache."""
    if choice.install:
        return (Path(choice.install),)
    cached = cached_program(SHIM, cache or Cache())
    return (USUAL, *((cached.parents[len(Path(SHIMS[RUST]).parts)],) if cached else ()))


def find_installation(choice: KataChoice) -> KataInstallation | None:
    """Look for a runtime that has a shim and a configuration for the hypervisor."""
    for root in installation_roots(choice):
        for runtime in choice.runtimes():
            names = [root / DEFAULTS / name.format(choice.hypervisor) for name in FILES[runtime]]
            configuration = next((path for path in names if path.exists()), None)
            if configuration is not None and (root / SHIMS[runtime] / SHIM).exists():
                return KataInstallation(root, runtime, root / SHIMS[runtime], configuration)
    return None


def drop_in(choice: KataChoice, limits: Limits, limit_s: float) -> str:
    """Return the drop-in. Kata adds the container's limits to its defaults: ours has none, so the defaults are the sum.

    `limit_s`: how long a guest may take to start. Raises BootFailed.
    """
    hypervisor: dict[str, object] = {
        "default_vcpus": limits.cpus,
        "default_maxvcpus": limits.cpus,
        "default_memory": machine_mib(limits),
        "shared_fs": choice.shared_fs,
        "disable_block_device_use": choice.snapshotter != DEVMAPPER,
        "enable_annotations": list(CACHE_KEYS),
    }
    hypervisor.update({key: value == "true" for key, value in cache_values(choice).items()})
    seconds = max(1, round(limit_s))
    tables: dict[str, Mapping[str, object]] = {
        f"hypervisor.{SECTIONS[choice.hypervisor]}": hypervisor,
        "agent.kata": {"dial_timeout": seconds},
        "runtime": {
            "sandbox_cgroup_only": True,  # everything of Kata's in the boot's cgroup
            "internetworking_model": "tcfilter",
            "create_container_timeout": seconds,
        },
    }
    lines: list[str] = []
    for name, table in tables.items():
        lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items()), ""]
    return "\n".join(lines)


def direct_io(choice: KataChoice) -> bool | None:
    """Whether O_DIRECT inside goes past the host's page cache; None where that is for Kata's own files to say.

    Its virtiofsd is not told --allow-direct-io, and takes O_DIRECT away; Dragonball serves virtio-fs itself.
    """
    if choice.snapshotter != DEVMAPPER:
        return None if choice.hypervisor == DRAGONBALL else False
    if choice.hypervisor == FIRECRACKER:
        return False  # it always goes through the host's cache
    return None if choice.cache == KATAS_OWN else choice.cache == SAFE


def machine_mib(limits: Limits) -> int:
    """The machine's memory as Kata takes it, in MiB. BootFailed for one so small that it would silently be another."""
    if limits.memory_bytes < SMALLEST_MACHINE:
        least, asked = SMALLEST_MACHINE >> 20, limits.memory_bytes >> 20
        raise BootFailed("memory limit", f"Kata makes 2048 MiB of anything below {least}, and {asked} were asked for")
    return limits.memory_bytes >> 20


def cache_values(choice: KataChoice) -> dict[str, str]:
    """The block cache's keys. "safe": past the host's cache where the hypervisor can, and flushes are passed on."""
    if choice.cache == KATAS_OWN or choice.snapshotter != DEVMAPPER:
        return {}
    values = {"block_device_cache_set": True, "block_device_cache_direct": bool(direct_io(choice))}
    values["block_device_cache_noflush"] = choice.cache == UNSAFE
    return {key: "true" if value else "false" for key, value in values.items()}


def cache_annotations(choice: KataChoice) -> list[str]:
    """The client's options that say the same again, for the hypervisors whose driver reads nothing else."""
    return [
        word for key, value in cache_values(choice).items() for word in ("--annotation", f"{ANNOTATION}.{key}={value}")
    ]


def installed_hashes(installation: KataInstallation) -> dict[str, str]:
    """SHA-256 of the shim, and of the hypervisor ("path"), kernel and image that the installation's file names."""
    try:
        tables = tomllib.loads(installation.text()).get("hypervisor", {}).values()
    except tomllib.TOMLDecodeError as error:
        words = f"{installation.configuration} is not TOML: {error}"
        raise UserError(words, "mend it, or: primetime tools install kata") from None
    named = {key: Path(table[key]) for table in tables for key in PARTS if table.get(key)}
    files = {"shim": installation.shims / SHIM, **named}
    return {f"kata.{key}.sha256": file_hash(path) for key, path in files.items() if path.is_file()}


def write_configuration(directory: Path, installation: KataInstallation, text: str) -> Path:
    """Put the installation's file and the drop-in into `directory`; return the file that the shim is told."""
    drop_ins = directory / "config.d"
    drop_ins.mkdir(parents=True)
    main = directory / "configuration.toml"
    main.write_text(installation.text(), encoding="utf-8")
    (drop_ins / "50-primetime.toml").write_text(text, encoding="utf-8")
    return main


def values_of(values: Mapping[str, Scalar]) -> KataChoice:
    """A study's settings as one value."""
    return KataChoice(
        hypervisor=str(values["hypervisor"]),
        snapshotter=str(values["snapshotter"]),
        shared_fs=str(values["shared_fs"]),
        cache=str(values["cache"]),
        runtime=str(values["runtime"]),
        install=str(values["install"]),
    )
