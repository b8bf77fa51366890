"""The seccomp profile's translation, and settings of environments."""

from __future__ import annotations

import pytest

from primetime.environments import environment, environment_class, kinds
from primetime.environments.bundle import CAPABILITIES, applies, translate_seccomp
from primetime.errors import UserError
from primetime.model import EnvironmentSpec

PROFILE = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "defaultErrnoRet": 38,
    "archMap": [
        {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]},
        {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]},
    ],
    "syscalls": [
        {"names": ["read"], "action": "SCMP_ACT_ALLOW"},
        {"names": ["chroot"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_CHROOT"]}},
        {"names": ["bpf"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
        {"names": ["bpf"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1, "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
        {"names": ["arch_prctl"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["amd64"]}},
    ],
}


def names(profile: dict[str, object]) -> list[str]:
    return [rule["names"][0] for rule in profile["syscalls"]]  # type: ignore[attr-defined, misc]


def test_rules_for_other_capabilities_and_architectures_are_left_out() -> None:
    assert names(translate_seccomp(PROFILE, "x86_64")) == ["read", "chroot", "bpf", "arch_prctl"]
    assert names(translate_seccomp(PROFILE, "aarch64")) == ["read", "chroot", "bpf"]


def test_default_action_errno_and_sub_architectures_are_kept() -> None:
    profile = translate_seccomp(PROFILE, "x86_64")
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    assert profile["defaultErrnoRet"] == 38
    assert profile["architectures"] == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]


def test_a_forbidding_rule_stays_unless_the_capability_is_held() -> None:
    rule = {"excludes": {"caps": ["CAP_CHOWN"]}}
    assert "CAP_CHOWN" in CAPABILITIES
    assert not applies(rule, "amd64")


@pytest.mark.parametrize("kind", kinds())
def test_every_kind_is_importable_and_says_what_it_is(kind: str) -> None:
    member = environment_class(kind)
    assert member.kind == kind
    assert member.summary


def test_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(UserError, match="unknown environment kind 'xen'") as caught:
        environment_class("xen")
    assert "native" in caught.value.hint


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"storrage": "bind"}, "unknown setting 'storrage'"),
        ({"storage": 3}, "storage must be a word in quotes"),
        ({"storage": "ram"}, "storage cannot be 'ram'"),
    ],
)
def test_wrong_settings_are_user_errors(settings: dict[str, str | int], words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        environment(EnvironmentSpec("boxes", "runc", settings))
    assert "boxes" in caught.value.message
    assert caught.value.hint
