"""How large a board is on which host, and that what was clamped is said."""

from __future__ import annotations

import pytest

from primetime.errors import UserError
from primetime.lab.profiles import GIB, PROFILES, Host, fitted, profile, this_host

LARGE = Host(16, 64 * GIB, 10)


def test_a_large_host_clamps_nothing() -> None:
    for wanted in PROFILES.values():
        size = fitted(wanted, LARGE)
        assert (size.cpus, size.memory_bytes, size.clamps) == (wanted.cpus, wanted.memory_bytes, ())


@pytest.mark.parametrize(
    ("name", "host", "cpus", "memory_gib", "said"),
    [
        ("pi4", Host(2, 64 * GIB, 10), 2, 4, ["2 instead of 4 CPUs"]),
        ("pi8", Host(16, 8 * GIB, 10), 4, 4, ["4096 instead of 8192 MiB"]),
        ("pi8", Host(2, 8 * GIB, 7), 2, 4, ["2 instead of 4 CPUs", "4096 instead of 8192 MiB"]),
        ("pi4", Host(16, 64 * GIB, 7), 4, 4, []),
        ("x86", Host(16, 64 * GIB, 9), 1, 4, ["1 instead of 4 CPUs: with more its kernel panics on QEMU 9"]),
        ("x86", Host(2, 64 * GIB, 10), 2, 4, ["2 instead of 4 CPUs, as many as this host has"]),
        ("x86", Host(1, 64 * GIB, 7), 1, 4, ["1 instead of 4 CPUs, as many as this host has"]),
    ],
)
def test_what_is_clamped_is_said(name: str, host: Host, cpus: int, memory_gib: int, said: list[str]) -> None:
    size = fitted(profile(name), host)
    assert (size.cpus, size.memory_bytes) == (cpus, memory_gib * GIB)
    assert len(size.clamps) == len(said)
    assert all(sentence.startswith(words) for sentence, words in zip(size.clamps, said, strict=True))


def test_an_unknown_profile_names_the_known_ones() -> None:
    with pytest.raises(UserError, match="no profile pi5") as error:
        profile("pi5")
    assert all(name in error.value.hint for name in PROFILES)


def test_arm_boards_have_el2_and_the_interrupt_controller_of_a_pi_4() -> None:
    arm = [one for one in PROFILES.values() if one.emulator.architecture == "arm64"]
    assert {one.name for one in arm} == {"pi4", "pi8", "nano2", "nano4"}
    assert all("virtualization=on" in one.machine and "gic-version=2" in one.machine for one in arm)


def test_this_host_has_something_to_give() -> None:
    found = this_host(7)
    assert found.cpus >= 1
    assert found.memory_bytes > 2**26
