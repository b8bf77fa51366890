"""cloud-hypervisor's command line and names."""

from __future__ import annotations

import platform
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from primetime.environments import environment
from primetime.environments.base import Attachment, BootContext, Connection, Environment
from primetime.environments.cloud_hypervisor_command import cloud_hypervisor_argv
from primetime.errors import BootFailed, UserError
from primetime.model import EnvironmentSpec, Limits, Scalar

WIRED = Connection(Attachment.TAP, "198.18.0.10", 24, "198.18.0.1", "02:70:74:00:00:01", "ptb1", "")


def made(**settings: Scalar) -> Environment:
    return environment(EnvironmentSpec("clh", "cloud-hypervisor", settings))


def argv(connection: Connection = WIRED, volume: str = "/v", **settings: Scalar) -> list[str]:
    images = SimpleNamespace(initrd=Path("/i"), disk=Path("/d"))
    parts = {"limits": Limits(2, (0, 1), 256 << 20, 0), "volume": Path(volume), "images": images}
    context = SimpleNamespace(**parts, connection=connection, directory=Path("/run/b1"))
    return cloud_hypervisor_argv(Path("/clh"), Path("/k"), cast(BootContext, context), made(**settings).values)


def after(words: list[str], flag: str) -> str:
    return words[words.index(flag) + 1]


def test_the_whole_machine_is_said() -> None:
    words = argv()
    assert after(words, "--cpus") == "boot=2"
    assert after(words, "--memory") == f"size={256 << 20}"
    assert after(words, "--disk") == "path=/d,readonly=on,image_type=raw,id=root"
    assert words[words.index("--disk") + 2] == "path=/v,image_type=raw,id=data,direct=off,num_queues=1,queue_size=128"
    assert after(words, "--vsock") == "cid=3,socket=/run/b1/vsock.sock"
    assert after(words, "--serial") == "file=/run/b1/console"
    console = {"x86_64": "ttyS0", "aarch64": "ttyAMA0"}[platform.machine()]
    line = after(words, "--cmdline").split()
    assert {f"console={console}", "panic=0", "primetime.agent=vsock:1024"} <= set(line), "a reset would boot it again"


def test_switches() -> None:
    words = argv(direct=True, queues=4, io_uring=False, offload_tso=False, hugepages=True, mtu=1400)
    data = words[words.index("--disk") + 2].split(",")
    assert {"direct=on", "num_queues=4", "_disable_io_uring=on"} <= set(data)
    card = after(words, "--net").split(",")
    assert card[:3] == ["tap=ptb1", "mac=02:70:74:00:00:01", "id=net0"]
    assert {"offload_tso=off", "offload_ufo=on", "offload_csum=on", "mtu=1400"} <= set(card)
    assert after(words, "--memory").endswith(",hugepages=on,hugepage_size=2M")


def test_without_an_interface_there_is_no_card() -> None:
    assert "--net" not in argv(Connection(Attachment.TAP, "", 0, "", "", "", ""))


def test_a_path_that_would_end_its_option_is_refused() -> None:
    with pytest.raises(BootFailed, match="cannot take the path"):
        argv(volume="/v,readonly=on")


def test_a_name_says_what_is_not_the_default() -> None:
    assert made().printed_name() == "clh"
    assert made(binary="/own").printed_name() == "clh"
    printed = made(direct=True, queues=2, offload_tso=False).printed_name()
    assert printed == "clh (direct, queues 2, offload_tso off)"


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(UserError, match="queue_size cannot be 100"):
        made(queue_size=100)
    with pytest.raises(UserError, match="queues cannot be negative"):
        made(queues=-1)
