"""What a microVM changes on this host, for real, and how it is put back."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from primetime.environments.base import Attachment, BootContext, Connection
from primetime.environments.jail import USER, jail, lend_tap
from primetime.environments.microvm_host import HUGE_PAGES, huge_bytes, reserved_huge_pages, set_mtu
from primetime.host.process import run
from primetime.host.undo import open_ledger
from primetime.model import Limits

TAP = "pttest0"
IP_LIMIT_S = 20.0


@pytest.fixture
def tap() -> Iterator[str]:
    if not Path("/dev/net/tun").exists():
        pytest.skip("there is no /dev/net/tun")
    run(["ip", "tuntap", "add", TAP, "mode", "tap", "vnet_hdr"], timeout_s=IP_LIMIT_S)
    yield TAP
    run(["ip", "link", "delete", TAP], timeout_s=IP_LIMIT_S)


def context(tmp_path: Path, interface: str = "", memory: int = 8 << 20) -> BootContext:
    for name in ("initrd", "disk", "volume"):
        (tmp_path / name).write_text(name)
    (tmp_path / "boot").mkdir()
    images = SimpleNamespace(initrd=tmp_path / "initrd", disk=tmp_path / "disk")
    parts = {
        "connection": Connection(Attachment.TAP, "", 0, "", "", interface, ""),
        "limits": Limits(1, (0,), memory, 0),
    }
    paths = {"directory": tmp_path / "boot", "volume": tmp_path / "volume", "name": "b1"}
    return cast(BootContext, SimpleNamespace(**parts, **paths, images=images, ledger=open_ledger(tmp_path / "run")))


def test_a_tap_is_lent_and_its_mtu_set(tmp_path: Path, tap: str) -> None:
    lend_tap(tap)
    set_mtu(context(tmp_path, tap), 1400)
    about = Path("/sys/class/net", tap)
    assert (about / "owner").read_text().strip() == str(USER)
    assert (about / "mtu").read_text().strip() == "1400"


def test_a_jail_holds_what_the_guest_needs_and_is_gone_afterwards(tmp_path: Path) -> None:
    program, kernel = tmp_path / "firecracker", tmp_path / "kernel"
    program.touch()
    kernel.write_text("kernel")
    made = context(tmp_path)
    with jail(made, program, kernel) as places:
        assert places.root == tmp_path / "boot/jail/firecracker/b1/root"
        for name in ("kernel", "initrd", "userland", "volume"):
            assert (places.root / name).is_file()
        with pytest.raises(OSError, match="Read-only"):
            (places.root / "kernel").write_text("changed")
        (places.root / "volume").write_text("written")
        assert stat.S_IMODE(places.root.stat().st_mode) & 0o005
        assert places.on_host("api.sock").parent.stat().st_uid == USER
    assert (tmp_path / "volume").read_text() == "written"
    assert kernel.read_text() == "kernel"
    assert list((tmp_path / "boot/jail").iterdir()) == []


@pytest.mark.skipif(not HUGE_PAGES.exists(), reason="this kernel has no huge pages of 2 MiB")
def test_huge_pages_are_reserved_and_given_back(tmp_path: Path) -> None:
    pool = HUGE_PAGES / "nr_hugepages"
    before = pool.read_text()
    made = context(tmp_path)
    with reserved_huge_pages(made):
        assert int((HUGE_PAGES / "free_hugepages").read_text()) >= 4
    assert pool.read_text() == before
    assert huge_bytes([os.getpid()]) == 0
