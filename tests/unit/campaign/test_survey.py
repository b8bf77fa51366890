"""What the survey makes of KVM, of what needs it, and of a device that is itself emulated."""

from __future__ import annotations

from pathlib import Path

import pytest

from primetime.campaign import survey
from primetime.campaign.device import BootStart
from primetime.campaign.fake_device import FakeDevice
from primetime.campaign.survey import on_emulated, try_environment
from primetime.environments import environment
from primetime.environments.fake import FakeEnvironment
from primetime.errors import CommandTimeout
from primetime.model import EnvironmentSpec, Usability, Usable

NATIVE = environment(EnvironmentSpec("native", "native"))
QEMU = environment(EnvironmentSpec("qemu", "qemu"))


def test_a_guest_under_kvm_is_usable_and_marked() -> None:
    found = on_emulated(Usability("qemu", Usable.YES, versions={"qemu": "10.0"}), QEMU, "x86")
    assert (found.state, found.emulated, found.tcg) == (Usable.CAVEAT, True, False)
    assert found.reason.startswith("KVM booted a guest; this device is itself emulated (x86)")
    assert found.versions == {"qemu": "10.0"}


def test_native_is_marked_too() -> None:
    found = on_emulated(Usability("native", Usable.YES), NATIVE, "pi4")
    assert found.emulated
    assert "KVM" not in found.reason


def test_a_guest_without_kvm_keeps_its_reason() -> None:
    found = on_emulated(Usability("qemu", Usable.CAVEAT, "there is no /dev/kvm", emulated=True, tcg=True), QEMU, "x86")
    assert found.reason.startswith("there is no /dev/kvm; this device is itself emulated")
    assert "booted" not in found.reason


def test_what_does_not_run_stays_so() -> None:
    missing = Usability("qemu", Usable.NO, "qemu is missing", "apt-get install qemu")
    assert on_emulated(missing, QEMU, "x86") == missing


class Microvm(FakeEnvironment):
    """A fake with a guest kernel that nothing emulates."""

    guest_kernel = True


def with_kvm(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    monkeypatch.setattr(survey, "KVM", path)


def test_what_cannot_be_emulated_needs_kvm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with_kvm(monkeypatch, tmp_path / "absent")
    device, member = FakeDevice(), Microvm(EnvironmentSpec("fc", "fake", {}))
    found = try_environment(device, member, BootStart(1))
    assert (found.state, found.reason) == (Usable.NO, "it needs KVM: there is no /dev/kvm")
    assert device.acts == []


def test_what_cannot_be_emulated_is_tried_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "kvm").touch()
    with_kvm(monkeypatch, tmp_path / "kvm")
    device, member = FakeDevice(), Microvm(EnvironmentSpec("fc", "fake", {"fail_boots": 9}))
    found = try_environment(device, member, BootStart(1))
    assert (found.state, found.reason) == (Usable.NO, "fake start: it was told to fail")
    assert device.acts == ["boot fc"]


class EmulatedBoard(FakeDevice):
    """A fake that is itself emulated."""

    def emulation(self) -> str:
        return "x86"


@pytest.mark.parametrize(("fails", "state"), [(1, Usable.YES), (9, Usable.NO)])
def test_an_emulators_kvm_may_lose_one_guest(
    fails: int, state: Usable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As a campaign's boots may: what is left out of a whole campaign has failed twice."""
    (tmp_path / "kvm").touch()
    with_kvm(monkeypatch, tmp_path / "kvm")
    device, member = EmulatedBoard(), Microvm(EnvironmentSpec("fc", "fake", {"fail_boots": fails}))
    assert try_environment(device, member, BootStart(1)).state is state
    assert device.acts.count("boot fc") == 2


class Hung(FakeEnvironment):
    """A fake whose program hangs when it is asked what it is."""

    def missing(self) -> Usability | None:
        raise CommandTimeout(("hung", "--version"), 30.0)


def test_what_hangs_when_it_is_asked_costs_no_other_environment() -> None:
    members = [Hung(EnvironmentSpec("hung", "fake", {})), FakeEnvironment(EnvironmentSpec("fine", "fake", {}))]
    found = survey.survey(FakeDevice(), members, lambda words: None)
    assert found["hung"].reason == "hung did not end within 30 s (hung --version)"
    assert [one.state is Usable.NO for one in found.values()] == [True, False]
