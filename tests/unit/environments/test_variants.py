"""A setting that switches a rule off stands beside the name; one that does not, does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from primetime.campaign.session import switched_off
from primetime.campaign.study_file import load_study
from primetime.environments import environment, environment_class, kinds
from primetime.environments.base import Attachment
from primetime.errors import UserError
from primetime.model import EnvironmentSpec, Scalar

POINT = '[environments.native]\n[[points]]\nworkload = "start"\n'


@pytest.mark.parametrize(
    ("kind", "settings", "printed"),
    [
        ("runc", {}, "x"),
        ("runc", {"storage": "bind"}, "x"),
        ("runc", {"seccomp": "none"}, "x (seccomp=none)"),
        ("crun", {"network": "host"}, "x (network=host)"),
        ("gvisor", {}, "x (systrap)"),
        ("gvisor", {"overlay2": "root:self"}, "x (systrap, overlay2=root:self)"),
        ("containerd-runc", {}, "x"),
        ("containerd-runc", {"snapshotter": "devmapper"}, "x (devmapper)"),
        ("containerd-runc", {"snapshotter": "devmapper", "seccomp": "none"}, "x (devmapper, seccomp=none)"),
        ("runc-in-vm", {"seccomp": "none", "cache": "unsafe"}, "x (cache=unsafe, seccomp=none)"),
        ("kata", {}, "x (qemu, devmapper, none)"),
        ("kata", {"cache": "unsafe"}, "x (qemu, devmapper, none, cache=unsafe)"),
        ("kata", {"hypervisor": "fc", "cache": "kata-default"}, "x (fc, devmapper, none, cache=kata-default)"),
        ("firecracker", {"cache_type": "Unsafe"}, "x (cache_type=Unsafe)"),
        ("qemu", {"cache": "writeback"}, "x"),
        ("qemu", {"cache": "unsafe", "vmm_outside": True}, "x (cache=unsafe, vmm_outside=true)"),
    ],
)
def test_the_printed_name(kind: str, settings: dict[str, Scalar], printed: str) -> None:
    assert environment(EnvironmentSpec("x", kind, settings)).printed_name() == printed


@pytest.mark.parametrize("kind", kinds())
def test_what_unsafe_or_no_filter_means_is_a_variant_everywhere(kind: str) -> None:
    """No member may forget it: flushes that are dropped, a system call filter that is not there."""
    for setting in environment_class(kind).settings:
        weak = {value for value in setting.choices if str(value).lower() == "unsafe"}
        weak |= {"none"} if setting.name == "seccomp" else set()
        assert weak <= set(setting.breaks), setting.name


def test_a_container_on_the_hosts_network_is_attached_there() -> None:
    assert environment(EnvironmentSpec("x", "runc", {"network": "host"})).attachment is Attachment.HOST
    assert environment(EnvironmentSpec("x", "runc")).attachment is Attachment.NAMESPACE


def written(directory: Path, text: str) -> str:
    path = directory / "study.toml"
    path.write_text(text)
    return str(path)


def test_rules_of_the_study_that_are_switched_off_have_names(tmp_path: Path) -> None:
    text = "[blocks]\naa = false\n[flash]\nprecondition = false\n" + POINT
    assert switched_off(load_study(written(tmp_path, text))) == {"flash.precondition": "false", "blocks.aa": "false"}
    assert switched_off(load_study(written(tmp_path, POINT))) == {}
    assert switched_off(load_study("quick")) == {}


def test_a_quick_study_has_few_points(tmp_path: Path) -> None:
    text = "quick = true\n[environments.native]\n[[points]]\nworkload = 'idle'\nduration = ['1s','2s','3s','4s','5s']\n"
    with pytest.raises(UserError, match="at most 4 points, this one has 5"):
        load_study(written(tmp_path, text))
