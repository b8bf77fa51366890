"""QEMU really boots here: programs, files, limits, network; and every way in which a guest can die is noticed."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from primetime.campaign.proof import prove_threads
from primetime.environments import environment
from primetime.environments.base import Attachment, BootContext, Connection, Instance
from primetime.environments.qemu import QemuInstance
from primetime.errors import BootFailed, CommandFailed, CommandTimeout, EnvironmentDied
from primetime.host import network
from primetime.host.cgroup import Cgroup
from primetime.host.ledger import Act, Ledger
from primetime.host.lock import device_lock
from primetime.host.process import run
from primetime.host.undo import open_ledger
from primetime.images.cache import Cache
from primetime.images.debian import debian_architecture
from primetime.images.guest import GuestImages, build_guest_images
from primetime.model import Command, EnvironmentSpec, Limits

pytestmark = pytest.mark.required_environment
MEMORY = 320 << 20
NO_CARD = Connection(Attachment.TAP, "", 0, "", "", "", "")
QEMU = environment(EnvironmentSpec("qemu", "qemu"))
NUMBER = 61900


@pytest.fixture(scope="module")
def guest_images() -> GuestImages:
    return build_guest_images(Cache(), debian_architecture(), {}, lambda _: None)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = open_ledger(tmp_path)
    yield opened
    opened.replay()


@pytest.fixture
def context(tmp_path: Path, ledger: Ledger, guest_images: GuestImages) -> Iterator[BootContext]:
    volume = tmp_path / "volume.img"
    volume.write_bytes(bytes(64 << 20))
    run(["mkfs.ext4", "-qF", str(volume)], timeout_s=60)
    last = max(os.sched_getaffinity(0))
    limits = Limits(1, (last,), MEMORY, 32 << 20)
    cgroup = Cgroup(f"primetime-test-qemu-{os.getpid()}")
    with ledger.undone(Act("cgroup", {"name": cgroup.name})):
        cgroup.create()
        cgroup.set_cpus(limits.cpu_set)
        values = ("test-qemu", limits, volume, NO_CARD, guest_images, cgroup, tmp_path, ledger, True)
        yield BootContext(*values)
        assert not cgroup.pids(), "a process outlived its boot"


def vmm_pid(instance: object) -> int:
    assert isinstance(instance, QemuInstance)
    return instance.vmm.pid


def test_runs_programs_and_moves_files(context: BootContext) -> None:
    with QEMU.boot(context) as instance:
        assert instance.started_at < instance.ready_at
        assert instance.run(Command(("fio", "--version"), 60)).stdout.startswith(b"fio-3.")
        echoed = instance.run(Command(("sh", "-c", "cat; echo $WORD >&2; exit 3"), 60, b"\x00bytes", {"WORD": "said"}))
        assert (echoed.returncode, echoed.stdout, echoed.stderr) == (3, b"\x00bytes", b"said\n")
        assert instance.run(Command(("no-such-program",), 60)).returncode == 127
        content = os.urandom(3_000_000)
        instance.put("/data/file", content)
        assert instance.get("/data/file") == content
        with pytest.raises(CommandFailed):
            instance.get("/data/none")
        with pytest.raises(CommandFailed):
            instance.put("/usr/file", b"the userland is read-only")
        with pytest.raises(CommandTimeout):
            instance.run(Command(("sh", "-c", "sleep 1000 & sleep 1000"), 0.5))
        assert b"sleep" not in instance.run(Command(("ps", "-eo", "args"), 60)).stdout


def test_data_reach_the_volume(context: BootContext) -> None:
    with QEMU.boot(context) as instance:
        before = instance.evidence()
        instance.put("/data/file", b"kept" * 1_000_000)
        assert instance.dirty_bytes() > 0
        instance.sync()
        instance.drop_caches()
        after = instance.evidence()
        assert float(after["block.data.flush_operations"]) > float(before["block.data.flush_operations"])
        assert float(after["block.data.wr_bytes"]) > float(before["block.data.wr_bytes"])
        instance.put("/data/late", b"written by the orderly end")
    said = run(["debugfs", "-R", "cat /late", str(context.volume)], timeout_s=60).stdout
    assert said == b"written by the orderly end"


def test_limits_are_proved_and_the_vmm_is_capped(context: BootContext) -> None:
    with QEMU.boot(context) as instance:
        facts = {fact.name: fact.value for fact in (*instance.prove_limits(), *instance.touch_memory())}
        assert facts["limits.cpus_inside"] == 1
        assert facts["qemu.accelerator"] == "tcg"
        assert facts["guest.vdb.write_cache"] == "write back"
        assert facts["guest.kernel"] == context.images.kernel_version
        assert context.cgroup.memory()["limit"] == facts["limits.vmm_cap_bytes"]
        assert context.cgroup.memory()["anon"] > MEMORY * 0.8  # it really was touched
        assert vmm_pid(instance) in context.cgroup.pids()
        assert instance.footprint().cgroups == (context.cgroup.name,)
        assert os.sched_getaffinity(vmm_pid(instance)) == set(context.limits.cpu_set)


def test_a_panic_is_noticed(context: BootContext) -> None:
    with pytest.raises(EnvironmentDied, match="Kernel panic") as caught, QEMU.boot(context) as instance:
        instance.run(Command(("sh", "-c", "echo c > /proc/sysrq-trigger"), 60))
    assert b"sysrq" in caught.value.console


def kill_the_vmm(context: BootContext, then: Callable[[Instance], object]) -> None:
    with QEMU.boot(context) as instance:
        os.kill(vmm_pid(instance), signal.SIGKILL)
        then(instance)


@pytest.mark.parametrize("then", [lambda instance: instance.run(Command(("true",), 60)), lambda _: None])
def test_a_killed_vmm_is_noticed(context: BootContext, then: Callable[[Instance], object]) -> None:
    """By the next program, or at the latest when the boot is to end."""
    with pytest.raises(EnvironmentDied, match="signal 9") as caught:
        kill_the_vmm(context, then)
    assert b"primetime-ready" in caught.value.console


def test_a_hanging_guest_is_noticed(context: BootContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("primetime.environments.guest.ANSWER_LIMIT_S", 2.0)
    with QEMU.boot(context) as instance:
        os.kill(vmm_pid(instance), signal.SIGSTOP)
        with pytest.raises(EnvironmentDied, match="has not answered"):
            instance.run(Command(("true",), 1.0))
        os.kill(vmm_pid(instance), signal.SIGCONT)


def test_a_broken_userland_is_named(context: BootContext, tmp_path: Path) -> None:
    broken = tmp_path / "broken.img"
    broken.write_bytes(bytes(1 << 20))
    with pytest.raises(BootFailed) as caught, QEMU.boot(replace(context, images=replace(context.images, disk=broken))):
        pass
    assert caught.value.step == "userland"
    assert b"the userland cannot be mounted" in caught.value.console


def test_a_silent_kernel_is_given_up(context: BootContext, tmp_path: Path) -> None:
    silent = bytearray(context.images.kernel_image.read_bytes())
    silent[1 << 20 :] = bytes(len(silent) - (1 << 20))
    kernel = tmp_path / "kernel"
    kernel.write_bytes(silent)
    images = replace(context.images, kernel_image=kernel)
    with pytest.raises(BootFailed) as caught, QEMU.boot(replace(context, images=images, first_sign_s=4.0)):
        pass
    assert caught.value.step in ("guest kernel", "QEMU")
    assert "has printed nothing" in caught.value.reason


def with_kvm(context: BootContext) -> object:
    """The accelerator that was used, or the step that failed."""
    try:
        with QEMU.boot(replace(context, emulated=False, first_sign_s=15.0)) as instance:
            return {fact.name: fact.value for fact in instance.prove_limits()}["qemu.accelerator"]
    except BootFailed as error:
        return error.step


def test_kvm_works_or_the_failing_step_is_named(context: BootContext) -> None:
    assert with_kvm(context) in ("kvm", "KVM", "QEMU", "guest kernel")


def test_the_card_reaches_the_host(context: BootContext, ledger: Ledger) -> None:
    with (
        device_lock("tests"),
        network.bridge(ledger, masquerade=True),
        network.tap_port(NUMBER, ledger) as port,
        socket.socket() as listener,
    ):
        listener.bind((network.BRIDGE_ADDRESS, 0))
        listener.listen()
        listener.settimeout(60)
        wired = Connection(
            Attachment.TAP, port.address, network.PREFIX, network.BRIDGE_ADDRESS, port.mac, port.interface, ""
        )
        with QEMU.boot(replace(context, connection=wired)) as instance:
            program = f"import socket; socket.create_connection({listener.getsockname()!r}, 30).sendall(b'hello')"
            outcome = instance.run(Command(("python3", "-c", program), 60))
            assert outcome.returncode == 0, outcome.stderr
            accepted, (address, _) = listener.accept()
            with accepted:
                assert (accepted.recv(16), address) == (b"hello", port.address)
            assert instance.footprint().interfaces == (port.interface,)


def test_with_vmm_outside_only_the_vcpus_keep_to_the_limit(context: BootContext) -> None:
    everywhere = tuple(sorted(os.sched_getaffinity(0)))
    outside = environment(EnvironmentSpec("outside", "qemu", {"vmm_outside": True}))
    with outside.boot(replace(context, host_cpus=everywhere)) as instance:
        footprint = instance.footprint()
        assert len(footprint.limited_threads) == context.limits.cpus
        for thread in footprint.limited_threads:
            assert os.sched_getaffinity(thread) == set(context.limits.cpu_set)
        assert os.sched_getaffinity(vmm_pid(instance)) == set(everywhere)
        facts = {fact.name: fact.value for fact in prove_threads(footprint, frozenset(context.limits.cpu_set))}
        assert facts["proof.strays"] == 0
        assert facts["proof.unlimited_threads"] == int(str(facts["proof.threads"])) - context.limits.cpus
    assert outside.printed_name() == "outside (TCG, vmm_outside=true)"
