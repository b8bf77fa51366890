"""The bundle of a container in a guest: runc's own, less what the machine around it is for."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from primetime.environments import environment
from primetime.environments.base import Attachment, BootContext
from primetime.environments.bundle import BundlePlan
from primetime.environments.runc_in_vm import nested_config
from primetime.errors import UserError
from primetime.model import EnvironmentSpec, Limits


def plan(data: Path | None) -> BundlePlan:
    parts = {
        "limits": Limits(1, (1,), 256 << 20, 0),
        "connection": SimpleNamespace(namespace="", attachment=Attachment.TAP),
        "cgroup": SimpleNamespace(name="primetime/b1"),
        "name": "b1",
    }
    return BundlePlan(cast(BootContext, SimpleNamespace(**parts)), Path("/run/primetime/box/rootfs"), True, data, None)


def test_the_guests_network_and_limits_are_the_containers() -> None:
    config = nested_config(plan(None))
    assert {one["type"] for one in config["linux"]["namespaces"]} == {"pid", "ipc", "uts", "mount"}
    assert "resources" not in config["linux"]
    assert "primetime/b1" not in json.dumps(config), "the host's cgroup is not the guest's"


def test_capabilities_and_masks_are_runcs_own() -> None:
    config = nested_config(plan(Path("/data")))
    assert config["process"]["noNewPrivileges"] is True
    assert "/proc/kcore" in config["linux"]["maskedPaths"]
    assert config["mounts"][-1]["source"] == "/data"


def test_it_takes_qemus_settings_and_runcs() -> None:
    settings = {"cache": "writeback", "storage": "bind", "seccomp": "none"}
    values = environment(EnvironmentSpec("v", "runc-in-vm", settings)).values  # type: ignore[arg-type]
    assert (values["aio"], values["storage"]) == ("threads", "bind")
    with pytest.raises(UserError, match="unknown setting"):
        environment(EnvironmentSpec("v", "runc-in-vm", {"snapshotter": "overlayfs"}))
