"""Firecracker's configuration, command line and metrics; what is known against it; and its names."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from primetime.environments import environment, vmm
from primetime.environments.base import Attachment, BootContext, Connection, Environment
from primetime.environments.firecracker_config import (
    Places,
    firecracker_words,
    machine_config,
    rate_limiter,
    unjailed,
    write_config,
)
from primetime.environments.firecracker_metrics import MetricsFile
from primetime.environments.jail import cgroup_words, needs_loader
from primetime.environments.known_bad import (
    Trouble,
    cloud_hypervisor_troubles,
    firecracker_host_troubles,
    firecracker_troubles,
)
from primetime.environments.microvm_host import bootable_kernel
from primetime.environments.vmm_program import find_vmm, told_version
from primetime.errors import BootFailed, UserError
from primetime.host.cgroup import Hierarchy
from primetime.host.hypervisor import HypervisorHost
from primetime.images.guest import GuestImages
from primetime.model import EnvironmentSpec, Limits, Scalar, Usable

RECORDED = Path(__file__).parents[2] / "recorded"
WIRED = Connection(Attachment.TAP, "198.18.0.10", 24, "198.18.0.1", "02:70:74:00:00:01", "ptb1", "")
HOST = HypervisorHost((6, 12, 48), 4096, 0)
CURRENT = (1, 16, 1)


def made(**settings: Scalar) -> Environment:
    return environment(EnvironmentSpec("fc", "firecracker", settings))


def context(connection: Connection = WIRED) -> BootContext:
    images = SimpleNamespace(initrd=Path("/i"), disk=Path("/d"))
    limits = Limits(2, (0, 1), 256 << 20, 0)
    parts = {"limits": limits, "volume": Path("/v"), "connection": connection, "images": images, "name": "b1"}
    return cast(BootContext, SimpleNamespace(**parts, directory=Path("/run/b1")))


def config(connection: Connection = WIRED, **settings: Scalar) -> dict[str, Any]:
    where = context(connection)
    return machine_config(where, unjailed(where, Path("/k")), made(**settings).values)


def troubles(host: HypervisorHost, version: tuple[int, ...], settings: dict[str, Scalar]) -> list[Trouble]:
    values = made(**settings).values
    return [*firecracker_troubles(host, version, values), *firecracker_host_troubles(host, values)]


def test_the_whole_machine_is_said() -> None:
    told = config()
    assert told["machine-config"] == {
        "vcpu_count": 2, "mem_size_mib": 256, "smt": False, "track_dirty_pages": False, "huge_pages": "None",
    }  # fmt: skip
    assert [(drive["drive_id"], drive["path_on_host"]) for drive in told["drives"]] == [("root", "/d"), ("data", "/v")]
    assert [drive["is_read_only"] for drive in told["drives"]] == [True, False]
    assert told["boot-source"]["initrd_path"] == "/i"
    words = told["boot-source"]["boot_args"].split()
    assert {"console=ttyS0", "panic=-1", "reboot=k", "primetime.agent=vsock:1024"} <= set(words)
    assert "primetime.ip=198.18.0.10/24" in words
    assert told["entropy"] == {}
    assert told["metrics"] == {"metrics_path": "/run/b1/metrics.json"}


def test_flushes_reach_the_host_unless_the_study_says_otherwise() -> None:
    assert config()["drives"][1]["cache_type"] == "Writeback"
    assert config(cache_type="Unsafe")["drives"][1]["cache_type"] == "Unsafe"
    assert "cache_type" not in config()["drives"][0]


def test_what_is_switched_off_is_not_said() -> None:
    told = config(Connection(Attachment.TAP, "", 0, "", "", "", ""), entropy=False, metrics=False)
    assert told["network-interfaces"] == []
    assert not {"entropy", "metrics"} & set(told)


def test_rate_limiters_and_mtu() -> None:
    told = config(disk_bandwidth=1_000_000, disk_ops=50, net_bandwidth=2_000_000, mtu=1400)
    assert told["drives"][1]["rate_limiter"] == {
        "bandwidth": {"size": 100_000, "refill_time": 100},
        "ops": {"size": 5, "refill_time": 100},
    }
    [card] = told["network-interfaces"]
    assert card["mtu"] == 1400
    assert card["rx_rate_limiter"] == card["tx_rate_limiter"] == {"bandwidth": {"size": 200_000, "refill_time": 100}}
    assert rate_limiter(0, 3) == {"ops": {"size": 1, "refill_time": 100}}
    assert not {"mtu", "rx_rate_limiter"} & set(config()["network-interfaces"][0])
    with pytest.raises(UserError, match="disk_ops cannot be negative"):
        made(disk_ops=-1)


def test_the_command_line_boots_at_once_and_leaves_a_socket() -> None:
    where = context()
    words = firecracker_words(unjailed(where, Path("/k")), made(pci=True, log_level="Info").values)
    assert words == [
        "--api-sock", "/run/b1/api.sock", "--config-file", "/run/b1/vm.json",
        "--log-path", "/run/b1/firecracker.log", "--level", "Info", "--show-level", "--enable-pci",
    ]  # fmt: skip


def test_in_a_jail_paths_are_those_of_the_jail(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    places = Places(tmp_path, *(Path("/", name) for name in ("own", "kernel", "initrd", "userland", "volume")))
    write_config(context(), places, made().values)
    told = json.loads((tmp_path / "own/vm.json").read_text())
    assert told["boot-source"]["kernel_image_path"] == "/kernel"
    assert told["drives"][1]["path_on_host"] == "/volume"
    assert told["vsock"]["uds_path"] == "/own/vsock.sock"
    assert cgroup_words(Hierarchy(2, {}), "primetime/b1") == [
        "--cgroup-version",
        "2",
        "--parent-cgroup",
        "primetime/b1",
    ]
    assert cgroup_words(Hierarchy(1, {}), "primetime/b1") == []


def test_a_name_says_what_is_not_the_default() -> None:
    assert made().printed_name() == "fc"
    assert made(cache_type="Unsafe").printed_name() == "fc (cache_type=Unsafe)"
    printed = made(cache_type="Unsafe", io_engine="Async", pci=True, jailer=True, mtu=1400).printed_name()
    assert printed == "fc (Async, pci, jailer, mtu 1400, cache_type=Unsafe)"


def test_counters_are_added_over_lines() -> None:
    """Each line holds what was counted since the line before: a boot with ten flushes, then a quiet one."""
    metrics = MetricsFile(RECORDED / "firecracker-1.16.1-metrics-writeback.json")
    metrics.read()
    lines = [json.loads(line) for line in metrics.path.read_text().splitlines()]
    assert len(lines) > 2
    flushes = [line["block_data"]["flush_count"] for line in lines]
    assert metrics.totals["block.data.flush_count"] == sum(flushes) > 0
    assert metrics.totals["net.eth0.tx_bytes_count"] == sum(line["net_eth0"]["tx_bytes_count"] for line in lines)
    sums = [line["block_data"]["write_agg"]["sum_us"] for line in lines]
    assert metrics.totals["block.data.write_agg.sum_us"] == sum(sums)
    assert not [name for name in metrics.totals if "min_us" in name or "max_us" in name]
    assert metrics.totals["vcpu.exit_mmio_write"] > 0


def test_without_flushes_the_counter_stays_at_zero() -> None:
    metrics = MetricsFile(RECORDED / "firecracker-1.16.1-metrics-unsafe.json")
    metrics.read()
    assert metrics.totals["block.data.flush_count"] == 0.0
    assert metrics.totals["block.data.write_count"] > 0


def test_a_line_that_is_being_written_waits(tmp_path: Path) -> None:
    whole = (RECORDED / "firecracker-1.16.1-metrics-writeback.json").read_bytes().splitlines(keepends=True)
    path = tmp_path / "metrics"
    path.write_bytes(whole[0] + whole[1][:-100])
    metrics = MetricsFile(path)
    metrics.read()
    first = dict(metrics.totals)
    assert metrics.take_lines() == whole[0]
    metrics.read()
    assert metrics.totals == first
    path.write_bytes(whole[0] + whole[1])
    metrics.read()
    assert metrics.totals != first
    assert metrics.take_lines() == whole[1]
    assert metrics.take_lines() == b""


@pytest.mark.parametrize(
    ("host", "version", "settings", "words", "fatal"),
    [
        (HOST, (1, 7, 0), {}, "has no ACPI", True),
        (HOST, (1, 15, 0), {"mtu": 1400}, "mtu: Firecracker has a network interface's mtu since 1.16", True),
        (HOST, (1, 12, 1), {"pci": True}, "pci: Firecracker has --enable-pci since 1.13", True),
        (replace(HOST, gic=2), CURRENT, {"pci": True}, "every virtio device fails", True),
        (replace(HOST, page_bytes=16384), (1, 12, 1), {}, "loses its network", True),
        (replace(HOST, page_bytes=16384), CURRENT, {}, "supports 4 KiB only", False),
        (replace(HOST, kernel=(6, 1, 103)), CURRENT, {}, "breaks Firecracker's writes to its tap", True),
        (replace(HOST, kernel=(6, 1, 106)), CURRENT, {}, "breaks Firecracker's writes to its tap", True),
        (replace(HOST, kernel=(5, 10, 50)), CURRENT, {"io_engine": "Async"}, "needs a host kernel from 5.10.51", True),
        (replace(HOST, kernel=(5, 10, 60)), CURRENT, {"io_engine": "Async"}, "outside the environment's cgroup", False),
        (replace(HOST, kernel=(4, 9, 140)), CURRENT, {}, "is tested on kernels from 5.10", False),
    ],
)
def test_known_trouble_is_said(
    host: HypervisorHost, version: tuple[int, ...], settings: dict[str, Scalar], words: str, fatal: bool
) -> None:
    [trouble] = troubles(host, version, settings)
    assert words in trouble.reason
    assert trouble.fatal is fatal
    assert trouble.remedy


@pytest.mark.parametrize(
    ("host", "settings"),
    [
        (HOST, {}),
        (replace(HOST, kernel=(6, 1, 102)), {}),
        (replace(HOST, kernel=(6, 1, 107)), {}),
        (replace(HOST, gic=3), {"pci": True}),
        (replace(HOST, gic=2), {"io_engine": "Async"}),
    ],
)
def test_what_works_is_not_refused(host: HypervisorHost, settings: dict[str, Scalar]) -> None:
    assert troubles(host, CURRENT, settings) == []


def test_cloud_hypervisor_is_refused_on_gicv2() -> None:
    [trouble] = cloud_hypervisor_troubles(replace(HOST, gic=2))
    assert trouble.fatal
    assert "GICv3" in trouble.reason
    assert [*cloud_hypervisor_troubles(HOST), *cloud_hypervisor_troubles(replace(HOST, gic=3))] == []


def test_what_no_program_mends_is_said_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vmm, "hypervisor_host", lambda: replace(HOST, gic=2))
    lacking = environment(EnvironmentSpec("clh", "cloud-hypervisor", {"binary": "/absent"})).missing()
    assert lacking is not None
    assert "GICv3" in lacking.reason


def test_a_program_that_is_not_there_is_a_reason_with_a_remedy(tmp_path: Path) -> None:
    lacking = made(binary=str(tmp_path / "absent")).missing()
    assert lacking is not None
    assert (lacking.state, lacking.reason) == (Usable.NO, f"there is no program {tmp_path / 'absent'}")


def test_a_program_that_says_no_version_or_fails_is_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "firecracker"
    for script, words in (("echo hello", "does not say its version"), ("exit 3", "does not start")):
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        lacking = made(binary=str(path)).missing()
        assert lacking is not None
        assert words in lacking.reason


def test_a_program_that_is_new_enough_is_worth_a_try(tmp_path: Path) -> None:
    path = tmp_path / "firecracker"
    path.write_text("#!/bin/sh\necho Firecracker v1.16.1\n")
    path.chmod(0o755)
    member = made(binary=str(path))
    lacking = member.missing()
    assert lacking is None or "kernel" in lacking.reason, "only this host's own kernel may speak against it"
    found = member.usable()
    assert found.versions["firecracker"] == "1.16.1"
    facts = {fact.name: fact.value for fact in find_vmm("firecracker", str(path)).facts()}  # type: ignore[union-attr]
    assert facts["firecracker.from"] == "named in the study"
    assert len(str(facts["firecracker.sha256"])) == 64


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("Firecracker v1.16.1\n\n2026-11-25T15:53:11.06 [anonymous] exiting", (1, 16, 1)),
        ("cloud-hypervisor v53.0.0\nMigration Protocol Versions: 0", (53, 0, 0)),
        ("Firecracker v1.17.0-dev", (1, 17, 0)),
        ("nothing 7", ()),
    ],
)
def test_versions_that_programs_tell(said: str, version: tuple[int, ...]) -> None:
    assert told_version(said) == version


def images(elf: Path | None, image: Path) -> GuestImages:
    return cast(GuestImages, SimpleNamespace(kernel_elf=elf, kernel_image=image, kernel_version="6.12.1"))


def test_the_kernel_is_the_uncompressed_one(tmp_path: Path) -> None:
    elf, arm, compressed = (tmp_path / name for name in ("vmlinux", "Image", "vmlinuz"))
    elf.write_bytes(b"\x7fELF" + bytes(60))
    arm.write_bytes(b"MZ" + bytes(0x36) + b"ARM\x64" + bytes(4))
    compressed.write_bytes(b"MZ" + bytes(62))
    assert bootable_kernel(images(elf, compressed)) == elf
    assert bootable_kernel(images(None, arm)) == arm
    assert bootable_kernel(images(None, elf)) == elf
    with pytest.raises(BootFailed, match="compressed"):
        bootable_kernel(images(None, compressed))


def test_a_program_that_needs_a_loader_is_known() -> None:
    assert needs_loader(Path("/bin/sh").resolve())


def test_firecracker_is_kvm_only() -> None:
    member = made()
    assert not member.emulable
    with pytest.raises(BootFailed, match="KVM only"), member.boot(cast(BootContext, SimpleNamespace(emulated=True))):
        pass
