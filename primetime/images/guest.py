"""Everything a guest is made of, by path and hash; the one entry to this room for environments and campaign."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from primetime.errors import UserError
from primetime.host.process import SEARCH_PATH

if TYPE_CHECKING:  # environments import this module for its one class
    from primetime.images.cache import Cache
    from primetime.images.kernel import Kernel
    from primetime.images.userland import Userland

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class GuestImages:
    """What runs inside. The tree and the disk hold the same files; all paths are on the host, read-only.

    `kernel_image`: as the distribution ships it; `kernel_elf`: uncompressed vmlinux, None where the
    architecture has none; `manifest`: Debian package → version; `hashes`: what facts are made of.
    """

    architecture: str  # Debian's name: "amd64", "arm64"
    userland: Path
    manifest: Mapping[str, str]
    disk: Path
    kernel_image: Path
    kernel_elf: Path | None
    kernel_version: str
    kernel_config: Path | None
    initrd: Path
    agent: Path
    seccomp: Path
    runsc: Path | None
    hashes: Mapping[str, str]

    def has(self, program: str) -> bool:
        """Whether the userland has a program, by name or by path."""
        places = (program,) if program.startswith("/") else (f"{place}/{program}" for place in SEARCH_PATH.split(":"))
        found = (self.userland / place.lstrip("/") for place in places)
        return any(path.is_symlink() or path.is_file() for path in found)  # a link may lead to what only lies inside


def build_guest_images(cache: Cache, architecture: str, choice: Mapping[str, str], progress: Progress) -> GuestImages:
    """Return everything, building what the cache lacks (under a minute; needs root and the network).

    `architecture`: Debian's name or the kernel's ("amd64", "x86_64"). `choice`: a study's [images]: `kernel`
    ("", "debian", "host" or a path), `userland` ("" or a directory).
    Raises UserError for what the user can mend.
    """
    from primetime.images.debian import debian_architecture
    from primetime.images.file_program import file_program
    from primetime.images.initrd import guest_initrd
    from primetime.images.kernel import guest_kernel
    from primetime.images.userland import BUSYBOX, debian_userland, own_userland

    architecture = debian_architecture(architecture)
    progress("the file program")
    program = file_program(cache, architecture)
    if program is None:
        progress("no file program: there is no C compiler with a static library; points of files will be skipped")
    progress("the userland")
    own = choice.get("userland", "")
    userland = own_userland(cache, Path(own), program) if own else debian_userland(cache, architecture, program)
    progress("the guest kernel")
    kernel = guest_kernel(cache, architecture, choice.get("kernel", ""))
    progress("the initrd")
    initrd = guest_initrd(cache, kernel, required(userland, "busybox-static", *BUSYBOX))
    return assemble(architecture, userland, kernel, (initrd.image, initrd.agent))


def assemble(architecture: str, userland: Userland, kernel: Kernel, initrd: tuple[Path, Path]) -> GuestImages:
    """Put the parts together. `initrd`: its image and the agent in it."""
    from primetime.images.cache import file_hash
    from primetime.images.userland import FILE_PROGRAM, SECCOMP

    image, agent = initrd
    program = userland.file(FILE_PROGRAM)
    return GuestImages(
        architecture=architecture,
        userland=userland.tree,
        manifest=userland.manifest,
        disk=userland.disk,
        kernel_image=kernel.image,
        kernel_elf=kernel.elf,
        kernel_version=kernel.version,
        kernel_config=kernel.config,
        initrd=image,
        agent=agent,
        seccomp=required(userland, "golang-github-containers-common", SECCOMP),
        runsc=userland.file("usr/bin/runsc"),
        hashes={
            "userland": userland.tree_hash,
            "kernel": kernel.sha256,
            "kernel_package": kernel.package,
            "initrd": file_hash(image),
            "agent": file_hash(agent),
            **({"files": file_hash(program)} if program else {}),
        },
    )


def required(userland: Userland, package: str, *candidates: str) -> Path:
    """Return a file of the userland that every campaign needs; UserError when a user's own tree lacks it."""
    found = userland.file(*candidates)
    if found is None:
        raise UserError(f"images.userland has no /{candidates[0]}", f"install {package} in it")
    return found
