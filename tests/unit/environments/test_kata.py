"""Kata's configuration, what the settings may be together, and what is undone; a real Kata needs KVM."""

from __future__ import annotations

import socket
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from primetime.environments import environment
from primetime.environments.base import BootContext
from primetime.environments.kata import version_in
from primetime.environments.kata_config import (
    KataChoice,
    cache_annotations,
    drop_in,
    find_installation,
    installed_hashes,
    write_configuration,
)
from primetime.environments.kata_container import (
    CHUNK,
    KataContainer,
    broken_promise,
    device_major,
    fed,
    lasting_options,
    open_flags,
    present_pages,
    root_device,
    writable,
)
from primetime.environments.kata_leftovers import kata_acts
from primetime.environments.syslog import reading_syslog
from primetime.errors import BootFailed, UserError
from primetime.host.process import run
from primetime.host.undo import open_ledger
from primetime.model import Command, EnvironmentSpec, Limits, Outcome, Scalar

RECORDED = Path(__file__).parents[2] / "recorded"
LIMITS = Limits(2, (2, 3), 512 << 20, 0)


def choice(**changed: str) -> KataChoice:
    values = {"hypervisor": "qemu", "snapshotter": "devmapper", "shared_fs": "none", "cache": "safe", "runtime": "auto"}
    return KataChoice(**{**values, **changed}, install="/nowhere")


def written(given: KataChoice, section: str) -> dict[str, object]:
    content = tomllib.loads(drop_in(given, LIMITS, 120.0))
    hypervisor: dict[str, object] = content["hypervisor"][section]
    return hypervisor


def install(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text('[hypervisor.qemu]\nkernel = "/opt/kata/share/vmlinux"\n')


def test_the_sum_that_kata_makes_is_the_campaigns() -> None:
    hypervisor = written(choice(), "qemu")
    assert (hypervisor["default_memory"], hypervisor["default_vcpus"], hypervisor["default_maxvcpus"]) == (512, 2, 2)


def test_a_machine_that_kata_would_make_larger_is_refused() -> None:
    with pytest.raises(BootFailed, match="2048 MiB of anything below 256"):
        drop_in(choice(), Limits(1, (0,), 255 << 20, 0), 120.0)


def test_a_block_root_is_really_a_block_device_past_the_hosts_cache() -> None:
    hypervisor = written(choice(), "qemu")
    assert hypervisor["disable_block_device_use"] is False
    assert hypervisor["shared_fs"] == "none"
    assert hypervisor["block_device_cache_set"] is True
    assert hypervisor["block_device_cache_direct"] is True
    assert hypervisor["block_device_cache_noflush"] is False


def test_firecracker_is_told_by_annotation_because_it_reads_nothing_else() -> None:
    given = choice(hypervisor="fc")
    hypervisor = written(given, "firecracker")
    assert hypervisor["block_device_cache_direct"] is False
    assert set(cast(list[str], hypervisor["enable_annotations"])) >= {"block_device_cache_set"}
    assert "io.katacontainers.config.hypervisor.block_device_cache_set=true" in cache_annotations(given)
    assert "io.katacontainers.config.hypervisor.block_device_cache_noflush=false" in cache_annotations(given)


def test_katas_own_cache_and_virtio_fs_say_nothing_of_the_cache() -> None:
    assert cache_annotations(choice(cache="kata-default")) == []
    shared = choice(snapshotter="overlayfs", shared_fs="virtio-fs")
    assert cache_annotations(shared) == []
    assert written(shared, "qemu")["disable_block_device_use"] is True


def test_unsafe_tells_the_hypervisor_to_drop_flushes() -> None:
    assert "io.katacontainers.config.hypervisor.block_device_cache_noflush=true" in cache_annotations(
        choice(cache="unsafe")
    )


def test_everything_of_katas_goes_into_the_boots_cgroup() -> None:
    content = tomllib.loads(drop_in(choice(), LIMITS, 360.0))
    assert content["runtime"]["sandbox_cgroup_only"] is True
    assert content["agent"]["kata"]["dial_timeout"] == 360


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"snapshotter": "overlayfs"}, "virtio-fs"),
        ({"hypervisor": "fc", "shared_fs": "virtio-fs"}, "Firecracker has no shared file system"),
        ({"snapshotter": "overlayfs", "shared_fs": "virtio-fs", "cache": "unsafe"}, "of a block device"),
        ({"snapshotter": "overlayfs", "shared_fs": "virtio-fs", "cache": "kata-default"}, "of a block device"),
        ({"hypervisor": "fc", "snapshotter": "overlayfs", "shared_fs": "virtio-fs"}, "Firecracker"),
        ({"hypervisor": "dragonball", "runtime": "go"}, "Rust runtime"),
    ],
)
def test_settings_that_cannot_stand_together_are_refused(settings: dict[str, Scalar], words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        environment(EnvironmentSpec("k", "kata", settings))
    assert caught.value.hint


def test_the_printed_name_is_never_just_kata() -> None:
    named = environment(EnvironmentSpec("kata", "kata", {"hypervisor": "fc", "cache": "kata-default"})).printed_name()
    assert named == "kata (fc, devmapper, none, cache=kata-default)"


def test_both_runtimes_are_found_and_the_rust_one_is_preferred(tmp_path: Path) -> None:
    given = KataChoice("qemu", "devmapper", "none", "safe", "auto", str(tmp_path))
    assert find_installation(given) is None
    defaults = "share/defaults/kata-containers"
    install(tmp_path, "bin/containerd-shim-kata-v2", f"{defaults}/configuration-qemu.toml")
    found = find_installation(given)
    assert found is not None
    assert (found.runtime, found.shims) == ("go", tmp_path / "bin")
    rust = f"{defaults}/runtime-rs/configuration-qemu-runtime-rs.toml"
    install(tmp_path, "runtime-rs/bin/containerd-shim-kata-v2", rust)
    found = find_installation(given)
    assert found is not None
    assert (found.runtime, found.configuration) == ("rust", tmp_path / rust)


def test_the_installations_file_is_copied_and_ours_lies_beside_it(tmp_path: Path) -> None:
    install(tmp_path / "i", "bin/containerd-shim-kata-v2", "share/defaults/kata-containers/configuration-qemu.toml")
    found = find_installation(KataChoice("qemu", "devmapper", "none", "safe", "go", str(tmp_path / "i")))
    assert found is not None
    main = write_configuration(tmp_path / "b", found, "[runtime]\n")
    assert main.read_text() == f'[hypervisor.qemu]\nkernel = "{tmp_path}/i/share/vmlinux"\n', "it lies elsewhere"
    assert [path.name for path in (tmp_path / "b/config.d").iterdir()] == ["50-primetime.toml"]


def test_what_was_measured_is_known_by_its_hash(tmp_path: Path) -> None:
    install(tmp_path, "bin/containerd-shim-kata-v2", "share/defaults/kata-containers/configuration-qemu.toml")
    found = find_installation(KataChoice("qemu", "devmapper", "none", "safe", "go", str(tmp_path)))
    assert found is not None
    (tmp_path / "share/vmlinux").write_bytes(b"")
    hashes = installed_hashes(found)
    assert set(hashes) == {"kata.shim.sha256", "kata.kernel.sha256"}, "what the file does not name has no hash"
    assert hashes["kata.kernel.sha256"] == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_a_broken_file_of_the_installation_is_the_users_to_mend(tmp_path: Path) -> None:
    defaults = "share/defaults/kata-containers/configuration-qemu.toml"
    install(tmp_path, "bin/containerd-shim-kata-v2", defaults)
    (tmp_path / defaults).write_text("[hypervisor.qemu\n")
    found = find_installation(KataChoice("qemu", "devmapper", "none", "safe", "go", str(tmp_path)))
    assert found is not None
    with pytest.raises(UserError, match="is not TOML"):
        installed_hashes(found)


def test_without_an_installation_it_says_what_mends_it() -> None:
    found = environment(EnvironmentSpec("k", "kata", {"install": "/nowhere", "snapshotter": "overlayfs",
                                                      "shared_fs": "virtio-fs"})).missing()  # fmt: skip
    assert found is not None
    assert found.remedy


def test_what_lies_under_the_root_is_read_from_the_mounts() -> None:
    assert root_device("/dev/sda / ext4 rw,relatime 0 0\nproc /proc proc rw 0 0\n") == "sda"
    assert root_device("kataShared / virtiofs rw,relatime 0 0\n") == ""


@pytest.mark.parametrize(
    ("changed", "write_cache", "direct", "words"),
    [
        ({}, "write back", True, ""),
        ({}, "write through", True, "would not be passed on"),
        ({}, "write back", False, "through the host's page cache"),
        ({"cache": "unsafe"}, "write back", False, ""),
        ({"hypervisor": "fc"}, "write back", False, ""),
        ({"hypervisor": "fc"}, "write through", False, "would not be passed on"),
        ({"hypervisor": "fc", "cache": "unsafe"}, "write through", False, ""),
        ({"hypervisor": "fc", "cache": "unsafe"}, "write back", False, "would be passed on"),
        ({"hypervisor": "fc", "cache": "kata-default"}, "write through", False, ""),
    ],
)
def test_a_cache_that_is_not_what_was_asked_for_is_told(
    changed: dict[str, str], write_cache: str, direct: bool, words: str
) -> None:
    told = broken_promise(choice(**changed), write_cache, direct)
    assert words in told
    assert bool(told) == bool(words)


def test_a_guests_settings_are_written_where_the_container_may() -> None:
    assert writable("/proc/sys/vm/dirty_bytes", "sda") == "/run/primetime/proc/sys/vm/dirty_bytes"
    assert writable("/sys/block/vdb/queue/scheduler", "sda") == "/run/primetime/sys/block/sda/queue/scheduler"


class Answering(KataContainer):
    """A container that has these files, and takes whatever is written."""

    def __init__(self, files: dict[str, str], settings: dict[str, str]) -> None:
        self.files = files
        self.written: dict[str, bytes] = {}
        self.choice = choice(cache="kata-default")
        cgroup = SimpleNamespace(pids=lambda: frozenset[int]())
        self.context = cast(BootContext, SimpleNamespace(guest_settings=settings, cgroup=cgroup))

    def run(self, command: Command) -> Outcome:
        if command.argv[0] == "tee":
            self.written[command.argv[1]] = command.stdin
            return Outcome(0, b"", b"", 0.0, 0.0)
        return Outcome(0, self.files[command.argv[1]].encode(), b"", 0.0, 0.0)


def test_the_volumes_disk_has_one_name_in_facts_and_one_value_for_each_setting() -> None:
    queue = {"write_cache": "write back", "scheduler": "[none]", "rotational": "1", "read_ahead_kb": "128"}
    files = {f"/sys/block/sda/queue/{name}": f"{value}\n" for name, value in queue.items()}
    container = Answering(
        {"/proc/mounts": "/dev/sda / ext4 rw 0 0\n", **files},
        {"/proc/sys/vm/dirty_bytes": "1", "/sys/block/vdb/queue/scheduler": "none"},
    )
    facts = (*container.equalise(), *container.prove_block_path())
    assert container.written["/run/primetime/sys/block/sda/queue/scheduler"] == b"none"
    assert [fact.value for fact in facts if fact.name == "guest.vdb.scheduler"] == ["[none]"]
    assert {fact.name: fact.value for fact in facts}["guest.vm.dirty_bytes"] == "1"


@pytest.mark.parametrize("size", [1, 3, 200_000, CHUNK])
def test_what_a_program_reads_comes_as_arguments(size: int, tmp_path: Path) -> None:
    """Kata's shim hangs when a standard input ends."""
    stdin = bytes(range(256)) * (size // 256) + bytes(size % 256)
    argv = fed(("tee", str(tmp_path / "file")), stdin)
    assert max(map(len, argv)) < 128 * 1024
    outcome = run(list(argv), timeout_s=20)
    assert outcome.stdout == stdin
    assert (tmp_path / "file").read_bytes() == stdin


def test_a_fed_program_keeps_its_exit_code() -> None:
    assert run(list(fed(("sh", "-c", "cat > /dev/null; exit 7"), b"words")), timeout_s=20, check=False).returncode == 7
    with pytest.raises(ValueError, match="more than"):
        fed(("cat",), bytes(CHUNK + 1))


def test_the_machines_memory_is_what_its_kernel_was_given() -> None:
    zoneinfo = (RECORDED / "proc-zoneinfo-linux-6.12-kata-4.1.0.txt").read_text()
    assert present_pages(zoneinfo) * 4096 == (384 << 20) - 532480


def test_the_device_mappers_number_is_that_of_block_devices() -> None:
    devices = "Character devices:\n  1 mem\n 10 misc\n\nBlock devices:\n  7 loop\n253 device-mapper\n254 mdp\n"
    assert device_major(devices, "device-mapper") == 253
    assert device_major(devices, "misc") == -1


def test_flags_of_an_open_file_are_octal() -> None:
    assert open_flags("pos:\t0\nflags:\t02140002\nmnt_id:\t9\n") == 0o2140002


def test_a_sandboxes_entries_are_undone_and_nobody_elses(tmp_path: Path) -> None:
    (tmp_path / "vc/sbs/theirs").mkdir(parents=True)
    acts = kata_acts("b7", tmp_path)
    ledger = open_ledger(tmp_path / "ledger")
    for act in acts:
        ledger.record(act)
    (tmp_path / "vc/sbs/b7").mkdir()
    (tmp_path / "kata-containers/shared/sandboxes/b7/mounts").mkdir(parents=True)
    assert len(list(tmp_path.rglob("b7"))) == 2
    ledger.replay()
    assert list(tmp_path.rglob("b7")) == []
    assert (tmp_path / "vc/sbs/theirs").exists()
    assert not (tmp_path / "kata-containers").exists()


def test_the_version_is_found_among_the_shims_words() -> None:
    words = "Kata Containers containerd shim (Golang): id: io.containerd.kata.v2, version: 4.1.0, commit: 7c6ba40c"
    assert version_in(words) == "4.1.0"


def test_what_is_said_on_the_log_socket_is_kept(tmp_path: Path) -> None:
    where = tmp_path / "log"
    kind = socket.SOCK_DGRAM
    with (
        reading_syslog(open_ledger(tmp_path), tmp_path / "words", where),
        socket.socket(socket.AF_UNIX, kind) as sender,
    ):
        sender.connect(str(where))
        sender.send(b"<11>kata: failed\n")
    assert (tmp_path / "words").read_bytes() == b"<11>kata: failed\n"
    assert not where.exists()


def test_how_virtiofsd_works_is_told_without_what_is_of_one_boot() -> None:
    words = [
        "--fd=3",
        "--shared-dir",
        "/run/kata-containers/shared/sandboxes/b7/shared",
        "--cache=auto",
        "",
        "--syslog",
    ]
    assert lasting_options(words) == "--cache=auto --syslog"
    assert (
        lasting_options(["--socket-path=/run/vc/vm/b7/s", "--fd", "7", "--thread-pool-size=1"])
        == "--thread-pool-size=1"
    )
    assert lasting_options([]) == ""
