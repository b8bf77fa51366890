"""Real tools that fail in a real environment: what they said is stored with the trial."""

from __future__ import annotations

from dataclasses import replace

import pytest

from primetime.campaign.device import BootStart
from primetime.campaign.linux_device import LinuxDevice
from primetime.campaign.trial import Booted, Trial
from primetime.environments.base import Environment
from primetime.model import Command, Point, Recipe, Site, TrialStatus
from primetime.workloads import workload
from primetime.workloads.base import Workload
from tests.host.machine import Standing

NUMBER = 61900
SAID = {
    "fio": ({"rw": "randread", "bs": "4KiB", "size": "8MiB", "runtime": "1s"}, b"no-such-option"),
    "netperf": ({"test": "rr", "runtime": "1s"}, b"invalid option"),
    "files": ({"personality": "varmail", "runtime": "1s"}, b"no-such-option"),
}


def misled(member: Workload, point: Point, site: Site) -> Recipe:
    """A recipe whose program is given a word that it does not know."""
    recipe = member.recipe(point, site)
    return replace(recipe, run=tuple(replace(step, argv=(*step.argv, "--no-such-option")) for step in recipe.run))


@pytest.mark.parametrize("name", SAID)
def test_what_a_failing_tool_said_is_kept(
    name: str, device: LinuxDevice, members: dict[str, Environment], unchanged: Standing
) -> None:
    given, words = SAID[name]
    member = workload(name)
    point = Point("failing", name, member.check("failing", given))
    recipe = misled(member, point, device.site)
    member.recipe = lambda point, site: recipe  # type: ignore[method-assign]
    with device.boot(members["native"], BootStart(NUMBER)) as instance, device.watch(instance.footprint()) as sampler:
        result = Trial(device, member, point, 1).carry_out(Booted(instance, sampler, {}))
    assert result.status is TrialStatus.FAILED
    assert "ended with exit code" in result.reason
    assert any(words in content for content in result.raw.values()), (result.reason, result.raw)


HOG = "x = bytearray(b'x') * (1 << 30)"


@pytest.mark.parametrize("kind", ["native", "runc"])
def test_what_the_kernel_killed_for_want_of_memory_is_counted(
    kind: str, device: LinuxDevice, members: dict[str, Environment], unchanged: Standing
) -> None:
    with device.boot(members[kind], BootStart(NUMBER)) as instance:
        assert device.memory_kills(instance.footprint()) == 0
        outcome = instance.run(Command(("python3", "-I", "-S", "-c", HOG), 120.0))
        assert outcome.returncode != 0
        assert device.memory_kills(instance.footprint()) >= 1
