"""What an emulated board can do. How fast it does it says nothing about a real one."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from primetime.lab import emulator, life
from primetime.lab.profiles import profile
from tests.lab.conftest import Lent

BOARDS = pytest.mark.parametrize(
    "kind",
    [pytest.param("x86", marks=pytest.mark.required_environment), pytest.param("pi4", marks=pytest.mark.slow)],
)
EVERY_BOARD = pytest.mark.parametrize("kind", ["x86", "pi4"])
DEVICES = ("kvm", "vhost-net", "vhost-vsock", "net/tun", "mapper/control", "loop-control")
PROGRAMS = (
    "runc", "crun", "containerd", "ctr", "python3", "nft", "ip", "mkfs.ext4", "dmsetup", "unshare", "nsenter",
    "taskset", "awk", "ping", "sysctl",
)  # fmt: skip
INVENTORY = """
hostname
cat /sys/fs/cgroup/cgroup.subtree_control /proc/cmdline
for device in {devices}; do test -c /dev/$device || echo $device; done
for program in {programs}; do which $program > /dev/null || echo $program; done
modprobe veth || echo veth # modules are indexed, though no maintainer script ran
"""
GUEST = {  # a guest of the board's own QEMU, with KVM alone: it ends when the initrd's init has spoken
    "x86": ("qemu-system-x86_64 -M q35", "ttyS0"),
    "pi4": ("qemu-system-aarch64 -M virt,gic-version=2", "ttyAMA0"),
}
BOOT = """
cd /run
{qemu} -accel kvm -cpu host -m 256 -nodefaults -no-user-config -display none -no-reboot -serial file:guest.log \
    -kernel /boot/vmlinuz-$(uname -r) -initrd guest.img -append 'console={console} panic=-1' &
qemu=$!
while kill -0 $qemu && ! grep -q primetime-init guest.log; do sleep 0.5; done
kill $qemu
cat guest.log
"""
THIN = """
set -e
export DM_DISABLE_UDEV=1
cd /var/lib/primetime/volume
truncate -s 64M data; truncate -s 8M meta
data=$(losetup --find --show data); meta=$(losetup --find --show meta)
dmsetup create pool --table "0 131072 thin-pool $meta $data 128 0"
dmsetup message pool 0 'create_thin 0'
dmsetup create thin --table '0 65536 thin /dev/mapper/pool 0'
mkfs.ext4 -q /dev/mapper/thin
mkdir thin; mount /dev/mapper/thin thin; echo written > thin/file; umount thin
mount /dev/mapper/thin thin; cat thin/file; umount thin
dmsetup remove thin; dmsetup remove pool; losetup -d $data $meta; rm -r data meta thin
"""
OVERLAY = """
set -e
cd /var/lib/primetime/volume
mkdir lower upper work merged; echo below > lower/file
mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged
cat merged/file; echo above > merged/file; cat upper/file
umount merged; rm -r lower upper work merged
"""


@BOARDS
def test_what_measuring_needs_is_there(lent: Lent) -> None:
    found = lent.run(INVENTORY.format(devices=" ".join(DEVICES), programs=" ".join(PROGRAMS)))
    name, controllers, command_line, *lacking = found.splitlines()
    assert name == lent.board.name
    assert {"cpu", "cpuset", "io", "memory", "pids"} <= set(controllers.split())
    assert f"primetime.emulated={lent.board.name}" in command_line.split()
    assert lacking == []


@BOARDS
def test_a_guest_boots_on_the_boards_kvm(lent: Lent, kind: str) -> None:
    """The board's own initrd is a guest's; without a disk its init speaks and then waits."""
    qemu, console = GUEST[kind]
    lent.run("cat > /run/guest.img", stdin=(lent.board.directory / "initrd.img").read_bytes())
    said = lent.run(BOOT.format(qemu=qemu, console=console))
    assert "primetime-init" in said


@BOARDS
def test_thin_pools_and_overlays_really_work(lent: Lent) -> None:
    assert lent.run(THIN) == "written\n"
    assert lent.run(OVERLAY) == "below\nabove\n"


@BOARDS
def test_nothing_leads_out_of_a_board(lent: Lent) -> None:
    """Not to this machine, which QEMU's user network otherwise shows as its gateway."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(0.2)
        port = listener.getsockname()[1]
        lent.run(f"nc -w 3 10.0.2.2 {port} < /dev/null || true")
        with pytest.raises(TimeoutError):
            listener.accept()


@BOARDS
def test_a_board_listens_on_loopback_alone(lent: Lent) -> None:
    inodes = set()
    pid = int(lent.board.pid_file.read_text())
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        target = str(descriptor.readlink())
        if target.startswith("socket:"):
            inodes.add(target.removeprefix("socket:[").removesuffix("]"))
    listening = {
        fields[1]
        for table in ("tcp", "tcp6", "udp", "udp6")
        for fields in map(str.split, Path(f"/proc/net/{table}").read_text().splitlines()[1:])
        if fields[9] in inodes and fields[3] in ("0A", "07")
    }
    assert listening == {f"0100007F:{lent.board.about().port:04X}"}


@EVERY_BOARD
@pytest.mark.slow
def test_a_power_cut_loses_what_was_not_flushed(lent: Lent) -> None:
    volume = "/var/lib/primetime/volume"
    lent.run(f"echo kept > {volume}/flushed && sync && echo lost > {volume}/unflushed")
    life.kill(lent.board)
    assert not emulator.is_up(lent.board)
    life.up(lent.board, profile(lent.board.name), fresh=False, progress=print)
    assert lent.run(f"cat {volume}/flushed") == "kept\n"
    assert lent.run(f"cat {volume}/unflushed || true") in ("", "\n")
    lent.run(f"rm -f {volume}/flushed {volume}/unflushed")
    assert "recovery complete" in lent.run("dmesg") or "recovering journal" in lent.run("dmesg")


@EVERY_BOARD
@pytest.mark.slow
def test_a_clean_shutdown_keeps_everything(lent: Lent) -> None:
    lent.run("echo kept > /var/lib/primetime/volume/file")
    assert life.down(lent.board, remove=False)
    life.up(lent.board, profile(lent.board.name), fresh=False, progress=print)
    assert lent.run("cat /var/lib/primetime/volume/file; rm /var/lib/primetime/volume/file") == "kept\n"
    assert "recover" not in lent.run("dmesg")
