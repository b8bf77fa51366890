"""Each check of the contract fires on what it is about and stays silent on a sound campaign."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from made_campaign import READ, WRITE, Making, make_campaign

from primetime.analysis.checks import quality_warnings
from primetime.analysis.data import CampaignData, load
from primetime.model import Fact, Point, Role, Severity

Change = Callable[[CampaignData], CampaignData]
EXPECTED = {"host-cached", "memcpy-network", "few-blocks", "emulated"}
SYNCED = Point(WRITE.name, "fio", {**WRITE.params, "fsync": 1})


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> CampaignData:
    making = Making(kinds={"native": "native", "qemu": "qemu"}, points=(READ, SYNCED))
    return load(make_campaign(tmp_path_factory.mktemp("checks") / "made.sqlite", making))


def with_campaign_fact(name: str, *values: object) -> Change:
    facts = tuple(Fact(name, value) for value in values)  # type: ignore[arg-type]
    return lambda data: replace(data, facts=(*data.facts, *facts))


def with_boot_fact(name: str, value: object, environment: str = "qemu") -> Change:
    def change(data: CampaignData) -> CampaignData:
        boots = [boot.boot for boot in data.boots if boot.environment == environment]
        facts = tuple(Fact(name, value, "boot", str(boot)) for boot in boots)  # type: ignore[arg-type]
        return replace(data, facts=(*data.facts, *facts))

    return change


def with_values(environment: str, **values: float) -> Change:
    def change(data: CampaignData) -> CampaignData:
        trials = tuple(
            replace(trial, values={**trial.values, **values}) if trial.environment == environment else trial
            for trial in data.trials
        )
        return replace(data, trials=trials)

    return change


def both(*changes: Change) -> Change:
    def change(data: CampaignData) -> CampaignData:
        for one in changes:
            data = one(data)
        return data

    return change


def aa(data: CampaignData) -> CampaignData:
    """The baseline differs from itself by 20 % in every block."""
    again = [
        replace(trial, role=Role.AA, trial=trial.trial + 1000, values={n: v * 1.2 for n, v in trial.values.items()})
        for trial in data.trials
        if trial.environment == "native"
    ]
    return replace(data, trials=(*data.trials, *again))


CHECKS: list[tuple[str, Change]] = [
    ("cpu-sets-shared", with_campaign_fact("cpu.sets_shared", True)),
    ("strays", with_boot_fact("proof.strays", 2)),
    ("cpu-bill-open", with_values("qemu", cpu_busy=2.0, cpu_residual=0.2)),
    ("cpu-outside-limit", with_values("qemu", cpu_environment=2.0, cpu_outside=0.5)),
    (
        "queue-differs",
        both(
            with_campaign_fact("disk.queue.scheduler", "[mq-deadline] none"),
            with_boot_fact("guest.vdb.scheduler", "[none] mq-deadline"),
        ),
    ),
    ("dirty-limits-relative", with_campaign_fact("sysctl.vm.dirty_bytes", "0")),
    (
        "dirty-limits-differ",
        both(with_campaign_fact("sysctl.vm.dirty_bytes", "1000"), with_boot_fact("guest.vm.dirty_bytes", "2000")),
    ),
    (
        "kernel-differs",
        both(with_boot_fact("kernel.release", "6.12"), with_boot_fact("kernel.release", "6.1", "native")),
    ),
    ("clock-uncertain", with_boot_fact("guest.clock_round_trip_s", 0.5)),
    ("restless", with_boot_fact("settle.busy_fraction", 0.9)),
    ("foreign-packets", with_values("qemu", control_packets=1e6)),
    ("absorbed-writes", with_values("qemu", rate=100e6, drained_rate=50e6)),
    (
        "not-durable",
        both(
            with_campaign_fact("disk.queue.write_cache", "write back"),
            with_values("qemu", work_bytes=4096e3, writes_per_sync=1.0, disk_flushes=1.0, disk_written=1e9),
        ),
    ),
    ("not-durable", with_values("qemu", work_bytes=4096e3, disk_written=10.0)),
    ("host-rebooted", both(with_boot_fact("host.boot_id", "a"), with_boot_fact("host.boot_id", "b", "native"))),
    ("swap-on", with_campaign_fact("swap.devices", 1)),
    ("worn", with_campaign_fact("disk.device.life_time", "0x01 0x01", "0x02 0x01")),
    ("device-limit", both(with_campaign_fact("device.limit.read_bytes_per_s", 1000), with_values("qemu", rate=2e9))),
    ("aa-alarm", aa),
]


def ids(data: CampaignData) -> set[str]:
    return {warning.id for warning in quality_warnings(data)}


@pytest.mark.parametrize(("name", "change"), CHECKS)
def test_fires_on_its_own_matter_and_not_without_it(sound: CampaignData, name: str, change: Change) -> None:
    assert name not in ids(sound)
    assert name in ids(change(sound))


def test_a_sound_campaign_gets_only_what_is_true_of_it(sound: CampaignData) -> None:
    assert ids(sound) <= EXPECTED | {"vmm-uncapped", "limits-unproved", "aa-few", "sequential-stop"}


def test_an_alarm_takes_the_verdict_from_its_point(sound: CampaignData) -> None:
    alarms = [warning for warning in quality_warnings(aa(sound)) if warning.id == "aa-alarm"]
    assert {warning.severity for warning in alarms} == {Severity.FORBIDS}
    assert {warning.scope for warning in alarms} <= {f"point:{READ.name}", f"point:{SYNCED.name}"}
