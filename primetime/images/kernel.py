"""The guest kernel: Debian's, the host's own, or a user's; a copy with its hash, never installed."""

from __future__ import annotations

import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

from primetime.errors import UserError
from primetime.images import debian
from primetime.images.cache import Cache, about, file_hash, write_about
from primetime.images.userland import listing_hash
from primetime.images.vmlinux import can_extract, extract_elf, kernel_version

FORMAT = 1
PACKAGES = {"amd64": "linux-image-cloud-amd64", "arm64": "linux-image-arm64"}
DEBIAN = ("", "debian")  # what a study may call the default
GUEST_NEEDS = (
    "VIRTIO_PCI", "VIRTIO_MMIO", "VIRTIO_BLK", "VIRTIO_NET", "VIRTIO_CONSOLE", "VSOCKETS", "EXT4_FS", "DEVTMPFS",
    "TMPFS", "UNIX", "INET", "BLK_DEV_INITRD",
)  # fmt: skip
HOST = "host"
BOOT = Path("/boot")
MODULES = Path("/lib/modules")


@dataclass(frozen=True, slots=True)
class Kernel:
    """A finished entry. `image` as it was shipped; `elf` uncompressed, where one is inside."""

    image: Path
    elf: Path | None
    config: Path | None
    modules: Path | None
    version: str
    sha256: str
    package: str  # "linux-image-… 6.12.1-1", "host", or the user's path


@dataclass(frozen=True, slots=True)
class Source:
    """Where a kernel that is not Debian's comes from."""

    image: Path
    modules: Path | None
    named: str


def guest_kernel(cache: Cache, architecture: str, choice: str) -> Kernel:
    """Return the kernel that a study's `images.kernel` names: "", "debian", "host" or a path.

    Where nothing is named the host's own is preferred, if it is of this architecture and can serve as guest:
    then no ratio crosses kernels (contract §4).
    """
    if not choice and architecture == debian.debian_architecture() and serves_as_guest(platform.release()):
        return own_kernel(cache, host_source())
    if choice in DEBIAN:
        return debian_kernel(cache, architecture)
    return own_kernel(cache, host_source() if choice == HOST else path_source(Path(choice)))


def debian_kernel(cache: Cache, architecture: str) -> Kernel:
    """Return the kernel of the userland's own release (about 15 s when it is not cached)."""
    package = PACKAGES[architecture]
    material = {"format": FORMAT, "suite": debian.SUITE, "architecture": architecture, "package": package}

    def build(entry: Path) -> None:
        tree = entry / "tree"
        tree.mkdir()
        debian.unpack(tree, architecture, [package])
        manifest = debian.take_manifest(tree)
        image = next((tree / "boot").glob("vmlinuz-*"))
        version = image.name.removeprefix("vmlinuz-")
        image.rename(entry / "image")
        (tree / "boot" / f"config-{version}").rename(entry / "config")
        (tree / "usr/lib/modules" / version).rename(entry / "modules")
        shutil.rmtree(tree)
        finish(entry, version, f"{package} {manifest[package]}")

    return opened(cache.entry(f"kernel-{architecture}", material, build))


def serves_as_guest(release: str) -> bool:
    """Whether a kernel of this host has an image we can unpack, its modules and every driver that guests here need."""
    config, image = BOOT / f"config-{release}", host_image(release)
    if image is None or not (MODULES / release).is_dir() or not config.is_file():
        return False
    if not can_extract(image.read_bytes()):
        return False  # on a board of a fleet, for example
    lines = config.read_text(encoding="utf-8").splitlines()
    return all(f"CONFIG_{name}=y" in lines or f"CONFIG_{name}=m" in lines for name in GUEST_NEEDS)


def host_image(release: str) -> Path | None:
    """Where the image of a release lies; None where it does not."""
    places = (BOOT / f"vmlinuz-{release}", MODULES / release / "vmlinuz")
    return next((path for path in places if path.is_file()), None)


def host_source() -> Source:
    """The kernel that this host runs. UserError when its files are not there."""
    release = platform.release()
    image = host_image(release)
    if image is None:
        raise UserError(
            f'images.kernel = "host": there is no {BOOT / f"vmlinuz-{release}"}',
            "install this host's kernel as a package, or leave images.kernel out: Debian's own is the default",
        )
    modules = MODULES / release
    return Source(image, modules if modules.is_dir() else None, HOST)


def path_source(image: Path) -> Source:
    """A user's kernel; its modules are taken from lib/modules beside it or from this host, by version."""
    if not image.is_file():
        raise UserError(f"images.kernel {image} does not exist", 'name a kernel image, "host" or "debian"')
    version = kernel_version(image.read_bytes())
    homes = (image.parent.parent / "lib/modules", MODULES)
    modules = next((home / version for home in homes if version and (home / version).is_dir()), None)
    return Source(image, modules, str(image))


def own_kernel(cache: Cache, source: Source) -> Kernel:
    """Return a copy of a kernel that is not Debian's, named by its content."""
    material = {
        "format": FORMAT,
        "image": file_hash(source.image),
        "modules": listing_hash(source.modules) if source.modules else None,
        "named": source.named,
    }

    def build(entry: Path) -> None:
        shutil.copy(source.image, entry / "image")
        version = kernel_version((entry / "image").read_bytes())
        if source.modules is not None:
            shutil.copytree(source.modules, entry / "modules", symlinks=True)
        config = source.image.parent / f"config-{version}"
        if config.is_file():
            shutil.copy(config, entry / "config")
        finish(entry, version, source.named)

    return opened(cache.entry("kernel-own", material, build))


def finish(entry: Path, version: str, package: str) -> None:
    """Take the ELF out and write down what this is."""
    image = entry / "image"
    image.chmod(0o444)
    elf = extract_elf(image.read_bytes())
    if elf is not None:
        (entry / "vmlinux").write_bytes(elf)
    told = {"version": version, "sha256": file_hash(image), "package": package}
    write_about(entry, told)


def opened(entry: Path) -> Kernel:
    """Read a finished entry. UserError when it is damaged."""
    told = about(entry, {"version": str, "sha256": str, "package": str})

    def present(name: str) -> Path | None:
        return entry / name if (entry / name).exists() else None

    return Kernel(
        image=entry / "image",
        elf=present("vmlinux"),
        config=present("config"),
        modules=present("modules"),
        version=told["version"],
        sha256=told["sha256"],
        package=told["package"],
    )
