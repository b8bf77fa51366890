"""Each check of the contract fires on what it is about and stays silent on a sound campaign."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from made_campaign import READ, STREAM, WRITE, Making, make_campaign

from primetime.analysis.checks import quality_warnings
from primetime.analysis.compare import compare
from primetime.analysis.data import CampaignData, load
from primetime.model import Fact, Point, Role, Severity, Verdict

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
        boots = [boot.boot for boot in data.boots if environment in ("", boot.environment)]
        facts = tuple(Fact(name, value, "boot", str(boot)) for boot in boots)  # type: ignore[arg-type]
        return replace(data, facts=(*data.facts, *facts))

    return change


def with_environment_fact(name: str, value: str, environment: str = "qemu") -> Change:
    return lambda data: replace(data, facts=(*data.facts, Fact(name, value, "environment", environment)))


def with_values(environment: str, **values: float) -> Change:
    def change(data: CampaignData) -> CampaignData:
        trials = tuple(
            replace(trial, values={**trial.values, **values}) if trial.environment == environment else trial
            for trial in data.trials
        )
        return replace(data, trials=trials)

    return change


def with_one_value(environment: str, name: str, value: float) -> Change:
    """The value in the first trial of an environment alone."""

    def change(data: CampaignData) -> CampaignData:
        first = next(trial for trial in data.trials if trial.environment == environment)
        changed = replace(first, values={**first.values, name: value})
        return replace(data, trials=tuple(changed if trial is first else trial for trial in data.trials))

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


def paced(share: str | int) -> Change:
    """Let every point keep to a rate."""

    def change(data: CampaignData) -> CampaignData:
        points = {
            name: replace(record, point=replace(record.point, params={**record.point.params, "rate": share}))
            for name, record in data.points.items()
        }
        return replace(data, points=points)

    return change


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
    (
        "mount-differs",
        both(
            with_campaign_fact("volume.mode", "partition"),
            with_boot_fact("volume.inside.type", "ext4", ""),
            with_boot_fact("volume.inside.options", "rw,relatime", "native"),
            with_boot_fact("volume.inside.options", "rw,noatime"),
        ),
    ),
    ("strays", with_boot_fact("proof.outside_cgroups", 1)),
    ("not-clean", with_values("qemu", host_dirty_before=9e6)),
    ("others-busy", with_values("qemu", cpu_busy=2.0, cpu_rest=1.0)),
    ("variant", with_environment_fact("variant.seccomp", "none")),
    ("variant", with_campaign_fact("variant.blocks.aa", "false")),
    ("campaign-on-device", with_campaign_fact("campaign.on_tested_device", True)),
    ("restless", with_boot_fact("settle.busy_fraction", 0.9)),
    ("foreign-packets", with_values("qemu", control_packets=1e6)),
    ("foreign-packets", both(with_values("qemu", control_packets=0.0), with_one_value("qemu", "control_packets", 5.0))),
    ("emulated", with_campaign_fact("machine.emulated", "x86")),
    ("absorbed-writes", with_values("qemu", rate=1e8, drained_rate=5e7, work_bytes=1e8, environment_dirty_at_end=2e7)),
    ("absorbed-writes", with_values("qemu", rate=1e8, drained_rate=5e7, work_bytes=1e8, dirty_guest_at_end=2e7)),
    (
        "not-durable",
        both(
            with_campaign_fact("disk.queue.write_cache", "write back"),
            with_values("qemu", work_bytes=4096e3, writes_per_sync=1.0, disk_flushes=1.0, disk_written=1e9),
        ),
    ),
    ("not-durable", with_values("qemu", work_bytes=4096e3, disk_written=10.0)),
    ("not-durable", with_values("qemu", work_bytes=4096e3, disk_written=1e9, environment_dirty_at_end=4e6)),
    ("absorbed-writes", with_values("qemu", rate=1e8, drained_rate=9e7, work_bytes=1e8, disk_written=2e7)),
    ("host-rebooted", both(with_boot_fact("host.boot_id", "a"), with_boot_fact("host.boot_id", "b", "native"))),
    ("frequency-differs", both(with_values("native", frequency_mean=1.5e9), with_values("qemu", frequency_mean=1.2e9))),
    ("pace-missed", paced(10**12)),
    ("pace-missed", both(paced("50%"), with_campaign_fact(f"pace.{READ.name}", 10**12))),
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


def test_a_rate_that_is_kept_to_and_one_frequency_are_no_matter(sound: CampaignData) -> None:
    kept = both(paced("50%"), with_campaign_fact(f"pace.{READ.name}", 10**6))
    assert "pace-missed" not in ids(kept(sound))
    assert "pace-missed" not in ids(paced("50%")(sound)), "what was not measured is not missed"
    near = both(with_values("native", frequency_mean=1.5e9), with_values("qemu", frequency_mean=1.45e9))
    assert "frequency-differs" not in ids(near(sound))


def test_the_murmur_of_a_network_is_no_visit(sound: CampaignData) -> None:
    """One packet a second in every window is what this network is like; a silent window proves nothing else."""
    murmur = with_values("qemu", control_packets=1.0)
    assert "foreign-packets" not in ids(both(murmur, with_values("native", control_packets=1.0))(sound))
    assert "foreign-packets" not in ids(with_one_value("qemu", "control_packets", 2.0)(sound))


def test_on_an_emulated_device_nothing_gets_a_verdict(sound: CampaignData) -> None:
    marked = with_campaign_fact("machine.emulated", "x86")(sound)
    [warning] = [one for one in quality_warnings(marked) if one.id == "emulated"]
    assert (warning.severity, warning.scope) == (Severity.FORBIDS, "campaign")
    assert "emulated (x86)" in warning.sentence


def test_an_alarm_takes_the_verdict_from_its_point(sound: CampaignData) -> None:
    alarms = [warning for warning in quality_warnings(aa(sound)) if warning.id == "aa-alarm"]
    assert {warning.severity for warning in alarms} == {Severity.FORBIDS}
    assert {warning.scope for warning in alarms} <= {f"point:{READ.name}", f"point:{SYNCED.name}"}


NETWORK: list[tuple[str, Change]] = [
    (
        "cpu-sets-shared",
        both(with_campaign_fact("network.peer", "namespace"), with_campaign_fact("cpu.peer_apart", False)),
    ),
    ("peer-unwatched", with_campaign_fact("peer.watched", False)),
    ("peer-busy", with_values("qemu", peer_busy=0.95)),
    (
        "peer-differs",
        both(with_campaign_fact("peer.netserver", "2.6"), with_campaign_fact("userland.netserver", "2.7")),
    ),
    ("link", with_campaign_fact("peer.link.duplex", "half")),
    (
        "link",
        both(with_campaign_fact("network.link_speed_mbit", "1000"), with_campaign_fact("peer.link.speed", "100")),
    ),
    ("tcp-differs", both(with_boot_fact("tcp.rmem", "1"), with_boot_fact("tcp.rmem", "2", "native"))),
    ("tcp-differs", both(with_boot_fact("path.inside.mtu", "1"), with_boot_fact("path.inside.mtu", "2", "native"))),
    (
        "path-differs",
        both(with_environment_fact("network.path", "routed"), with_environment_fact("network.path", "host", "native")),
    ),
    (
        "device-limit",
        both(with_campaign_fact("device.limit.wire_send_bits_per_s", 1e9), with_values("qemu", throughput=9.9e9)),
    ),
]


@pytest.fixture(scope="module")
def wired(tmp_path_factory: pytest.TempPathFactory) -> CampaignData:
    """A campaign of streams with a far peer."""
    making = Making(kinds={"native": "native", "qemu": "qemu"}, points=(STREAM,), peer="far")
    return load(make_campaign(tmp_path_factory.mktemp("wired") / "made.sqlite", making))


@pytest.mark.parametrize(("name", "change"), NETWORK)
def test_fires_on_its_own_matter_of_the_network(wired: CampaignData, name: str, change: Change) -> None:
    assert name not in ids(wired)
    assert name in ids(change(wired))


def test_streams_without_requests_beside_them_are_told(wired: CampaignData, sound: CampaignData) -> None:
    assert "streams-alone" in ids(wired)
    assert "streams-alone" not in ids(sound)


def test_kernels_are_told_apart_by_what_is_known_of_them(sound: CampaignData) -> None:
    change = both(
        with_boot_fact("kernel.release", "6.12"),
        with_boot_fact("guest.kernel", "6.12"),
        with_boot_fact("kernel.release", "6.1", "native"),
        with_boot_fact("mitigation.meltdown", "PTI"),
        with_boot_fact("mitigation.meltdown", "Not affected", "native"),
        with_campaign_fact("kernel.config_known", True),
        with_campaign_fact("kernel.config.HZ", "1000"),
        with_campaign_fact("guest.kernel.config.HZ", "250"),
    )
    found = next(one for one in quality_warnings(change(sound)) if one.id == "kernel-differs")
    assert "HZ 250 against 1000, 1 mitigation (meltdown)" in found.sentence
    assert found.figures["mitigation.meltdown"] == "PTI against Not affected"


def test_at_the_devices_limit_the_cpu_per_unit_of_work_is_judged(sound: CampaignData) -> None:
    data = both(with_campaign_fact("device.limit.read_bytes_per_s", 1000), with_values("qemu", rate=2e9))(sound)
    found = {
        one.metric.name: one
        for one in compare(data, quality_warnings(data))
        if (one.environment, one.point) == ("qemu", READ.name)
    }
    assert found["rate"].verdict is Verdict.NO_VERDICT
    assert "look at the CPU per unit of work" in found["rate"].reason
    assert found["cpu_per_gb"].primary
