"""What primetime needs of the system, and which Debian package brings it.

Known by what it gives (a program, a file), not by dpkg's lists: a runc that the user built himself serves as well.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from primetime.environments.qemu_command import this_machine
from primetime.errors import CommandFailed, UserError
from primetime.host.process import Spawning, find_program, run
from primetime.images.debian import debian_architecture
from primetime.images.file_program import COMPILERS, prebuilt

LOCK_LIMIT_S = 600  # unattended upgrades hold apt's locks for minutes
RETRY_S = 5.0
APT_LIMIT_S = 3600.0  # a slow line on a small board
APT = ("apt-get", "-q", "-y", "-o", f"DPkg::Lock::Timeout={LOCK_LIMIT_S}", "-o", "Acquire::Retries=3")
QUIET = Spawning(env={"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_MODE": "l"})

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Need:
    """A Debian package, and the programs and files by which it is known to be there."""

    package: str
    purpose: str
    programs: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()

    def is_met(self) -> bool:
        """Whether this machine has everything that the package is wanted for."""
        return all(find_program(name) for name in self.programs) and all(path.exists() for path in self.files)


def needs() -> tuple[Need, ...]:
    """What this machine should have; QEMU's package depends on the architecture."""
    machine = this_machine()
    keyring = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    return (
        Need("mmdebstrap", "builds the userland", ("mmdebstrap",)),
        Need("gpg", "lets mmdebstrap check signatures", ("gpg",)),
        Need("debian-archive-keyring", "Debian's keys, also on Ubuntu", files=(keyring,)),
        Need("e2fsprogs", "ext4 for the volume and guests", ("mke2fs",)),
        Need("zstd", "unpacks the guest kernel", ("zstd",)),
        Need("kmod", "loads tun, overlay and vhost modules", ("modprobe",)),
        Need("util-linux", "namespaces", ("unshare", "nsenter")),
        Need("mount", "mounts and loop devices", ("mount", "losetup")),
        Need("iproute2", "bridge, veth, tap", ("ip",)),
        Need("nftables", "NAT behind the bridge", ("nft",)),
        Need("procps", "sysctl", ("sysctl",)),
        Need("runc", "the environment runc", ("runc",)),
        Need("crun", "the environment crun", ("crun",)),
        Need(machine.package, "the environment qemu", (machine.program,)),
        *compiler_needs(),
    )


def compiler_needs() -> tuple[Need, ...]:
    """A C compiler and the static C library; nothing where the bundle brings the program compiled."""
    architecture = debian_architecture()
    if prebuilt(architecture) is not None:
        return ()
    library = Path(f"/usr/lib/{COMPILERS[architecture].removesuffix('-gcc')}/libc.a")
    return (
        Need("gcc", "compiles the program of the workload files", ("gcc",)),
        Need("libc6-dev", "the C library for it", files=(library,)),
    )


def lab_needs() -> tuple[Need, ...]:
    """What emulated boards need besides `needs`; this machine's own QEMU is there already."""
    wanted = (
        Need("openssh-client", "reaches the lab's boards", ("ssh", "ssh-keygen")),
        Need("qemu-system-x86", "emulates the board x86", ("qemu-system-x86_64",)),
        Need("qemu-system-arm", "emulates the boards pi4, pi8, nano2, nano4", ("qemu-system-aarch64",)),
    )
    return tuple(need for need in wanted if need.package != this_machine().package)


def missing(wanted: Iterable[Need]) -> tuple[Need, ...]:
    """Return what is not met here."""
    return tuple(need for need in wanted if not need.is_met())


def install_command(wanted: Iterable[Need]) -> str:
    """Return what a user types to install them by hand."""
    return f"apt-get install --no-install-recommends {' '.join(need.package for need in wanted)}"


def install(wanted: Sequence[Need], progress: Progress) -> None:
    """Install packages with apt-get as root. UserError when apt cannot, or a package did not bring its programs."""
    packages = [need.package for need in wanted]
    progress("apt-get update")
    apt(["update"], progress)
    progress(f"apt-get install {' '.join(packages)}")
    apt(["install", "--no-install-recommends", *packages], progress)
    for need in missing(wanted):
        raise UserError(
            f"{need.package} was installed, but {', '.join([*need.programs, *map(str, need.files)])} is not there",
            f"apt-get install --reinstall {need.package}",
        )


def apt(arguments: Sequence[str], progress: Progress) -> None:
    """Run apt-get, waiting for its locks: DPkg::Lock::Timeout does not cover that of the package lists."""
    deadline = time.monotonic() + LOCK_LIMIT_S
    while True:
        try:
            run([*APT, *arguments], timeout_s=APT_LIMIT_S, spawning=QUIET)
        except CommandFailed as error:
            if b"Could not get lock" not in error.stderr or time.monotonic() > deadline:
                raise UserError(f"apt-get failed: {last_error(error.stderr)}", f"apt-get {arguments[0]}") from error
            progress("waiting for another apt to end")
            time.sleep(RETRY_S)
        else:
            return


def last_error(stderr: bytes) -> str:
    """Return apt's first error line, or the last thing it said."""
    lines = [line.strip() for line in stderr.decode(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("E:")]
    return (errors or lines[-1:] or ["it said nothing"])[0]
