"""QEMU's command line, its monitor, and what is said of a boot that failed."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from primetime.environments import environment
from primetime.environments.base import Attachment, BootContext, Connection
from primetime.environments.guest import count_cpus, resident_bytes
from primetime.environments.qemu_command import MACHINES, kernel_command_line, qemu_argv
from primetime.environments.qemu_microvm import MICROVM, QemuMicrovm, counter_khz, missing_on
from primetime.environments.qmp import open_monitor
from primetime.environments.watching import BootWatch, panic, telling_line
from primetime.errors import BootFailed, CommandFailed, EnvironmentDied, UserError
from primetime.model import EnvironmentSpec, Limits, Scalar, Usable

DEFAULTS: dict[str, Scalar] = {"cache": "none", "aio": "threads", "vhost": "off"}
WIRED = Connection(Attachment.TAP, "198.18.0.10", 24, "198.18.0.1", "02:70:74:00:00:01", "ptb1", "")


def context(connection: Connection = WIRED, *, emulated: bool = True) -> BootContext:
    images = SimpleNamespace(kernel_image=Path("/k"), initrd=Path("/i"), disk=Path("/d"))
    limits = Limits(2, (0, 1), 256 << 20, 0)
    parts = {"limits": limits, "volume": Path("/v,1"), "connection": connection, "images": images, "name": "b1"}
    return cast(BootContext, SimpleNamespace(**parts, directory=Path("/run/b,1"), emulated=emulated))


def argv(values: dict[str, Scalar] | None = None, connection: Connection = WIRED, emulated: bool = True) -> list[str]:
    return qemu_argv(context(connection, emulated=emulated), MACHINES["x86_64"], {**DEFAULTS, **(values or {})})


def microvm_argv(emulated: bool = True) -> list[str]:
    return qemu_argv(context(emulated=emulated), MICROVM, DEFAULTS)


def data_node(values: dict[str, Scalar]) -> tuple[dict[str, Any], str]:
    words = argv(values)
    nodes = {json.loads(one)["node-name"]: json.loads(one) for one in words if one.startswith("{")}
    device = next(word for word in words if "drive=data-disk" in word)
    return nodes["data-disk"], device


@pytest.mark.parametrize(
    ("cache", "direct", "no_flush", "write_cache"),
    [
        ("none", True, False, "on"),
        ("writeback", False, False, "on"),
        ("writethrough", False, False, "off"),
        ("directsync", True, False, "off"),
        ("unsafe", False, True, "on"),
    ],
)
def test_cache_modes_are_what_qemu_documents(cache: str, direct: bool, no_flush: bool, write_cache: str) -> None:
    node, device = data_node({"cache": cache})
    for level in (node, node["file"]):
        assert level["cache"] == {"direct": direct, "no-flush": no_flush}
    assert node["file"]["filename"] == "/v,1"
    assert device.endswith(f"write-cache={write_cache}")


def test_native_aio_needs_a_bypassed_cache() -> None:
    environment(EnvironmentSpec("vm", "qemu", {"aio": "native"}))
    environment(EnvironmentSpec("vm", "qemu", {"aio": "native", "cache": "directsync"}))
    with pytest.raises(UserError, match='"native" needs') as caught:
        environment(EnvironmentSpec("vm", "qemu", {"aio": "native", "cache": "writeback"}))
    assert 'cache = "none"' in caught.value.hint


def test_nothing_comes_from_defaults() -> None:
    words = argv()
    assert {"-nodefaults", "-no-user-config", "-no-reboot"} <= set(words)
    assert words[words.index("-smp") + 1].startswith("2,")
    assert words[words.index("-m") + 1] == f"size={256 << 10}k"


def test_the_accelerator_follows_the_survey() -> None:
    for emulated, accelerator, processor in ((True, "tcg", "max"), (False, "kvm", "host")):
        words = argv(emulated=emulated)
        chosen = words[words.index("-accel") + 1].split(",")[0]
        assert (chosen, words[words.index("-cpu") + 1]) == (accelerator, processor)


def test_commas_in_paths_do_not_become_options() -> None:
    assert "socket,id=qmp,path=/run/b,,1/qmp.sock,server=on,wait=off" in argv()


def test_without_an_interface_there_is_no_card() -> None:
    assert any("ifname=ptb1" in word for word in argv())
    bare = argv(connection=Connection(Attachment.TAP, "", 0, "", "", "", ""))
    assert not any("virtio-net" in word or "primetime.ip" in word for word in bare)


def test_a_microvm_has_the_same_devices_off_pci() -> None:
    words = microvm_argv()
    devices = [words[at + 1] for at, word in enumerate(words) if word == "-device"]
    assert [device.split(",")[0] for device in devices] == [
        "virtio-blk-device", "virtio-blk-device", "virtio-net-device", "virtio-rng-device", "virtio-serial-device",
        "virtserialport",
    ]  # fmt: skip
    assert not any("pci" in word or "romfile" in word for word in words)
    assert words[words.index("-machine") + 1].split(",")[0] == "microvm"
    assert words[words.index("-global") + 1] == "virtio-mmio.force-legacy=false"


def test_a_microvms_disks_are_counted_from_the_highest_slot() -> None:
    slots = {
        word.split(",id=")[1].split(",")[0]: int(word.split("virtio-mmio-bus.")[1].split(",")[0])
        for word in microvm_argv()
        if "virtio-blk-device" in word
    }
    assert slots["root"] > slots["data"] > 0


def test_only_an_emulated_microvm_is_told_its_counters_rate() -> None:
    member = environment(EnvironmentSpec("vm", "qemu-microvm", {}))
    assert isinstance(member, QemuMicrovm)
    assert member.machine().extra == "reboot=t"
    member.emulated = True
    assert "reboot=t" in member.machine().extra
    assert counter_khz("processor\t: 0\ncpu MHz\t\t: 2596.146\ncpu MHz\t\t: 1.0\n") == 2596146
    assert counter_khz("processor\t: 0\n") == 0


def test_a_microvm_has_qemus_settings_and_its_own_name() -> None:
    with pytest.raises(UserError, match=r"\(qemu-microvm\): aio") as caught:
        environment(EnvironmentSpec("vm", "qemu-microvm", {"aio": "native", "cache": "writeback"}))
    assert caught.value.hint


def test_elsewhere_a_microvm_is_missing() -> None:
    missing = missing_on("aarch64")
    assert missing is not None
    assert (missing.state, missing.remedy) == (Usable.NO, "use the kind qemu here")
    assert "x86_64 only" in missing.reason
    assert missing_on("x86_64") is None


def test_a_panic_ends_the_guest_and_the_network_is_told() -> None:
    line = kernel_command_line(context(), MACHINES["x86_64"])
    assert {"panic=-1", "oops=panic", "primetime.ip=198.18.0.10/24", "primetime.gw=198.18.0.1"} <= set(line.split())


@pytest.fixture
def watch(tmp_path: Path) -> BootWatch:
    return BootWatch("QEMU", tmp_path / "console", (tmp_path / "words",), lambda: None)


@pytest.mark.parametrize(
    ("console", "step"),
    [
        ("", "guest kernel"),
        ("Linux version\n", "guest kernel"),
        ("Linux version\nprimetime-init\n", "userland"),
        ("Linux version\nprimetime-init\nprimetime-ready\n", "agent"),
    ],
)
def test_the_step_is_what_the_console_has_not_shown(watch: BootWatch, console: str, step: str) -> None:
    watch.console.write_text(console)
    assert watch.stage()[0] == step
    with pytest.raises(BootFailed) as caught:
        watch.wait(lambda: False, 0.0)
    assert (caught.value.step, caught.value.console) == (step, console.encode())


def test_a_vmm_that_ends_is_not_waited_for(tmp_path: Path) -> None:
    words = tmp_path / "words"
    words.write_text("warning: this\nqemu: error: no such disk\nafterwards\n")
    watch = BootWatch("QEMU", tmp_path / "console", (words,), lambda: 1)
    with pytest.raises(BootFailed, match="exit code 1: qemu: error: no such disk") as caught:
        watch.wait_ready(float("inf"), float("inf"))
    assert caught.value.step == "QEMU"


def test_a_panic_is_the_reason(tmp_path: Path) -> None:
    console = tmp_path / "console"
    console.write_text("x\n[ 1.0] Kernel panic - not syncing: Attempted to kill init!\nmore\n")
    watch = BootWatch("QEMU", console, (tmp_path / "words",), lambda: 0)
    assert watch.exited() == "QEMU ended with exit code 0: Kernel panic - not syncing: Attempted to kill init!"
    assert panic(b"all is well") == ""
    assert telling_line(tmp_path / "none") == ""


def serve_monitor(path: Path, replies: list[dict[str, object]]) -> threading.Thread:
    """A monitor that answers each command with the next reply, after an event."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def serve() -> None:
        with listener, listener.accept()[0] as connection, connection.makefile("rwb") as lines:
            lines.write(b'{"QMP": {}}\n')
            lines.flush()
            for reply in replies:
                lines.readline()
                lines.write(b'{"event": "RESUME"}\n' + json.dumps(reply).encode() + b"\n")
                lines.flush()

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


def test_the_monitor(tmp_path: Path) -> None:
    path = tmp_path / "qmp"
    replies: list[dict[str, object]] = [{"return": {}}, {"return": {"enabled": True}}, {"error": {"desc": "not now"}}]
    thread = serve_monitor(path, replies)
    with open_monitor(path) as monitor:
        assert monitor.execute("query-kvm") == {"enabled": True}
        with pytest.raises(CommandFailed, match="not now"):
            monitor.execute("stop")
        thread.join(10)
        with pytest.raises(EnvironmentDied):
            monitor.execute("quit")


def test_parsing_what_the_guest_says() -> None:
    assert resident_bytes("Name:\tx\nVmRSS:\t  8 kB\n") == 8192
    assert [count_cpus(text) for text in ("0", "0-3", "0-1,4")] == [1, 4, 3]
