"""What the survey makes of a device that is itself emulated."""

from __future__ import annotations

from primetime.campaign.survey import on_emulated
from primetime.environments import environment
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
