"""The images as they are really built here: by mmdebstrap, mke2fs and nothing else."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from primetime.environments.chroot import Chroot, ChrootPlan, open_chroot
from primetime.host.process import Placement, run
from primetime.images.cache import Cache
from primetime.images.debian import debian_architecture
from primetime.images.guest import GuestImages, build_guest_images
from primetime.images.modules import ModuleTree, guest_modules
from primetime.images.userland import debian_userland, tree_hash, walk
from primetime.images.vmlinux import ELF_MAGIC, kernel_version
from primetime.model import Command

LIMIT_BYTES = 350 << 20
ELF_MACHINE = {"amd64": 62, "arm64": 183}  # e_machine, elf(5)
PROGRAMS = (
    "fio", "netperf", "netserver", "iperf3", "python3", "ip", "ethtool", "mkfs.ext4", "find", "grep", "sed", "ps",
    "modprobe", "timeout", "tee", "sync", "mount", "sh", "bash",
)  # fmt: skip


@pytest.fixture(scope="module")
def built() -> GuestImages:
    return build_guest_images(Cache(), debian_architecture(), {}, lambda _: None)


def test_every_program_is_there(built: GuestImages) -> None:
    places = [built.userland / name for name in ("usr/bin", "usr/sbin")]
    missing = [name for name in PROGRAMS if not any(os.path.lexists(place / name) for place in places)]
    assert missing == []
    assert {"fio", "netperf", "iperf3", "python3", "runsc"} <= set(built.manifest)


def test_programs_start_as_unpacked(built: GuestImages, tmp_path: Path) -> None:
    with open_chroot(ChrootPlan(built.userland, tmp_path / "root", None, Placement())) as chroot:
        check_programs(built, chroot)


def check_programs(built: GuestImages, chroot: Chroot) -> None:
    def inside(*argv: str) -> bytes:
        return chroot.run(Command(argv, 60.0)).stdout

    assert inside("fio", "--version").decode().strip() == f"fio-{built.manifest['fio'].split('-')[0]}"
    assert b"Netperf" in inside("netperf", "-V")
    assert inside("python3", "-B", "-c", "import sqlite3, ctypes, lzma, ssl; print('all')") == b"all\n"
    assert inside("/usr/lib/primetime/ready", "echo", "then this") == b"primetime-ready\nthen this\n"


def test_the_tree_is_small_and_names_nothing_of_this_host(built: GuestImages) -> None:
    sizes = [status.st_blocks * 512 for _, status in walk(built.userland)]
    assert sum(sizes) < LIMIT_BYTES
    assert (built.userland / "etc/hostname").read_text() == "primetime\n"
    assert (built.userland / "etc/resolv.conf").read_bytes() == b""
    assert not (built.userland / "etc/apt").exists()


def test_the_tree_is_untouched_since_it_was_built(built: GuestImages) -> None:
    assert tree_hash(built.userland) == built.hashes["userland"]


def test_the_disk_holds_the_same_files(built: GuestImages, tmp_path: Path) -> None:
    run(["e2fsck", "-fn", str(built.disk)], timeout_s=120)
    out = tmp_path / "out"
    out.mkdir()
    run(["debugfs", "-R", f"rdump /usr /etc /var {out}", str(built.disk)], timeout_s=120)

    def listed(tree: Path) -> dict[str, tuple[int, int, int]]:
        return {
            name: (stat.S_IFMT(status.st_mode), status.st_mode & 0o777, status.st_size)
            for name, status in walk(tree)
            if name.split("/")[0] in ("usr", "etc", "var") and not stat.S_ISDIR(status.st_mode)
        }

    expected = listed(built.userland)
    assert listed(out) == expected
    assert (out / "usr/bin/fio").read_bytes() == (built.userland / "usr/bin/fio").read_bytes()


def test_the_kernel_and_its_modules(built: GuestImages) -> None:
    assert kernel_version(built.kernel_image.read_bytes()) == built.kernel_version
    if built.architecture == "amd64":
        assert built.kernel_elf is not None
        elf = built.kernel_elf.read_bytes()
        assert elf.startswith(ELF_MAGIC)
        assert kernel_version(elf) == built.kernel_version
    tree = ModuleTree(built.kernel_image.parent / "modules")
    assert tree.lacks(["virtio_blk", "virtio_net", "virtio_console", "virtio_mmio", "ext4", "vsock"]) == []
    loaded = [module.name for module in guest_modules(built.kernel_image.parent / "modules")]
    assert loaded.index("net_failover") < loaded.index("virtio_net")


def test_a_foreign_boards_userland_is_made_the_same_way(built: GuestImages) -> None:
    foreign = next(name for name in ELF_MACHINE if name != built.architecture)
    userland = debian_userland(Cache(), foreign)
    program = (userland.tree / "usr/bin/fio").read_bytes()
    assert int.from_bytes(program[18:20], "little") == ELF_MACHINE[foreign]
    assert userland.manifest["fio"].split("+")[0] == built.manifest["fio"].split("+")[0]
    assert (userland.tree / "usr/lib/primetime/ready").is_file()


def test_the_containers_profile_and_gvisor_come_along(built: GuestImages) -> None:
    assert b'"defaultAction"' in built.seccomp.read_bytes()
    assert built.runsc is not None
    assert run([str(built.runsc), "--version"], timeout_s=60).stdout.startswith(b"runsc version")
