"""Each check of the contract fires on what it is about and stays silent on a sound campaign."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from made_campaign import READ, REQUESTS, STREAM, WRITE, Making, make_campaign

from primetime.analysis.checks import quality_warnings
from primetime.analysis.checks.aa import FEWEST_PAIRS, aa_pairs
from primetime.analysis.compare import compare
from primetime.analysis.data import CampaignData, load
from primetime.model import BootStatus, Fact, Point, Role, Severity, Verdict

Change = Callable[[CampaignData], CampaignData]
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
    (
        "absorbed-writes",
        with_values("qemu", rate=1e8, drained_rate=5e7, written_bytes=1e8, environment_dirty_at_end=2e7),
    ),
    ("absorbed-writes", with_values("qemu", rate=1e8, drained_rate=5e7, written_bytes=1e8, dirty_guest_at_end=2e7)),
    (
        "not-durable",
        both(
            with_campaign_fact("disk.queue.write_cache", "write back"),
            with_values("qemu", written_bytes=4096e3, writes_per_sync=1.0, disk_flushes=1.0, disk_written=1e9),
        ),
    ),
    ("not-durable", with_values("qemu", written_bytes=4096e3, disk_written=10.0)),
    ("not-durable", with_values("qemu", written_bytes=4096e3, disk_written=1e9, environment_dirty_at_end=4e6)),
    ("absorbed-writes", with_values("qemu", rate=1e8, drained_rate=9e7, written_bytes=1e8, disk_written=2e7)),
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


def test_a_sound_campaign_is_told_nothing(sound: CampaignData) -> None:
    assert quality_warnings(sound) == ()


MIX = Point("fio-randrw", "fio", {"rw": "randrw", "bs": 4096, "direct": False, "fsync": 1})
DIRECT_MIX = Point("fio-randrw-direct", "fio", {"rw": "randrw", "bs": 4096, "direct": True})
SYNCED_READ = Point("fio-read-fsync1", "fio", {"rw": "read", "bs": 4096, "direct": False, "fsync": 1})
TOLD = {
    "cache-modes-mixed": {f"environment:firecracker,point:{one.name}" for one in (READ, DIRECT_MIX)},
    "host-cached": {f"environment:gvisor,point:{one.name}" for one in (READ, DIRECT_MIX)},
    "memcpy-network": {f"point:{STREAM.name},metric:throughput", f"point:{REQUESTS.name}"},
}


def test_a_campaign_of_many_kinds_and_points_is_told_just_what_is_true(tmp_path: Path) -> None:
    kinds = ("native", "runc", "gvisor", "qemu", "kata", "firecracker")
    points = (READ, WRITE, MIX, DIRECT_MIX, SYNCED_READ, STREAM, REQUESTS)
    making = Making(kinds={kind: kind for kind in kinds}, points=points)
    found: dict[str, set[str]] = {}
    for warning in quality_warnings(load(make_campaign(tmp_path / "made.sqlite", making))):
        found.setdefault(warning.id, set()).add(warning.scope)
    assert found == TOLD


def test_a_rate_that_is_kept_to_and_one_frequency_are_no_matter(sound: CampaignData) -> None:
    kept = both(paced("50%"), with_campaign_fact(f"pace.{READ.name}", 10**6))
    assert "pace-missed" not in ids(kept(sound))
    assert "pace-missed" not in ids(paced("50%")(sound)), "what was not measured is not missed"
    near = both(with_values("native", frequency_mean=1.5e9), with_values("qemu", frequency_mean=1.45e9))
    assert "frequency-differs" not in ids(near(sound))


def test_a_reboot_that_cut_a_boot_is_seen(sound: CampaignData) -> None:
    cut = replace(sound.boots[0], status=BootStatus.INTERRUPTED)
    later = both(with_boot_fact("host.boot_id", "b", ""), lambda data: replace(data, boots=(cut, *data.boots[1:])))
    first = Fact("host.boot_id", "a", "boot", str(cut.boot))
    assert "host-rebooted" not in ids(later(sound))
    assert "host-rebooted" in ids(later(replace(sound, facts=(*sound.facts, first))))


def test_a_visitor_who_stays_for_half_of_the_windows_is_seen(sound: CampaignData) -> None:
    stayed = both(with_values("native", control_packets=0.0), with_values("qemu", control_packets=30.0))
    assert "foreign-packets" in ids(stayed(sound))


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


def of_pattern(path: Path, rw: str) -> CampaignData:
    """A campaign of one buffered point with a sync after every request."""
    point = Point(WRITE.name, "fio", {**WRITE.params, "rw": rw, "fsync": 1})
    return load(
        make_campaign(path / "made.sqlite", Making(kinds={"native": "native", "qemu": "qemu"}, points=(point,)))
    )


DURABILITY = {"not-durable", "absorbed-writes"}
HALF_WRITTEN = {"work_bytes": 8192e3, "written_bytes": 4096e3, "writes_per_sync": 1.0}


@pytest.mark.parametrize("rw", ["rw", "randrw"])
@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ({"disk_flushes": 1000.0, "disk_written": 4200e3}, set()),
        ({"disk_flushes": 10.0, "disk_written": 4200e3}, {"not-durable"}),
        ({"disk_flushes": 1000.0, "disk_written": 2000e3}, DURABILITY),
        ({"disk_flushes": 1000.0, "disk_written": 4200e3, "dirty_guest_at_end": 1000e3}, DURABILITY),
    ],
)
def test_of_a_mixed_point_only_what_it_wrote_must_reach_the_device(
    tmp_path: Path, rw: str, seen: dict[str, float], said: set[str]
) -> None:
    cached = with_campaign_fact("disk.queue.write_cache", "write back")
    data = both(cached, with_values("qemu", drained_rate=4e6, **HALF_WRITTEN, **seen))(of_pattern(tmp_path, rw))
    assert ids(data) & DURABILITY == said


@pytest.mark.parametrize("rw", ["read", "randread"])
def test_reads_owe_the_device_nothing(tmp_path: Path, rw: str) -> None:
    cached = with_campaign_fact("disk.queue.write_cache", "write back")
    seen = with_values("qemu", work_bytes=8192e3, disk_written=0.0, disk_flushes=0.0)
    assert not ids(both(cached, seen)(of_pattern(tmp_path, rw))) & DURABILITY


@pytest.mark.parametrize(("rw", "said"), [("write", True), ("randwrite", True), ("randrw", True), ("randread", False)])
def test_whatever_writes_wants_flash_in_a_steady_state(tmp_path: Path, rw: str, said: bool) -> None:
    data = with_campaign_fact("flash.preconditioned_bytes", 0)(of_pattern(tmp_path, rw))
    assert ("unconditioned" in ids(data)) == said


def test_the_alarm_uses_what_verdicts_use(sound: CampaignData) -> None:
    """Of iterations in one boot the mean counts, and what a rule left out does not."""
    again = [trial for trial in aa(sound).trials if trial.role is Role.AA]
    other = [
        replace(trial, trial=trial.trial + 1000, values={name: value / 1.2**2 for name, value in trial.values.items()})
        for trial in again
    ]
    even = replace(sound, trials=(*sound.trials, *again, *other))
    pairs = aa_pairs(even)[READ.name]
    assert pairs == pytest.approx([math.log((1.2 + 1 / 1.2) / 2)] * len(pairs))
    left_out = {trial.trial: "visited" for trial in again if trial.block > FEWEST_PAIRS - 1}
    few = replace(aa(sound), ruled_out=left_out)
    assert {len(d) for d in aa_pairs(few).values()} == {FEWEST_PAIRS - 1}
    assert "aa-alarm" not in ids(few)


def without_value(name: str, environment: str = "qemu") -> Change:
    """As if an instrument had failed in the first boot."""

    def change(data: CampaignData) -> CampaignData:
        first = next(trial for trial in data.trials if trial.environment == environment and trial.point == READ.name)
        changed = replace(first, values={one: value for one, value in first.values.items() if one != name})
        return replace(data, trials=tuple(changed if trial is first else trial for trial in data.trials))

    return change


def test_without_a_bill_there_is_no_verdict_on_cpu(sound: CampaignData) -> None:
    data = both(with_campaign_fact("device.limit.read_bytes_per_s", 1000), with_values("qemu", rate=2e9))(sound)
    data = without_value("cpu_residual")(data)
    [warning] = [one for one in quality_warnings(data) if one.id == "cpu-bill-open"]
    assert warning.scope == f"environment:qemu,point:{READ.name},metric:cpu_per_gb"
    assert warning.sentence == (
        f"nothing shows that the CPU bill of qemu closes: no residual is known of 1 of 10 boots in {READ.name}"
    )
    judged = [one for one in compare(data, quality_warnings(data)) if one.primary and one.metric.name == "cpu_per_gb"]
    assert [(one.environment, one.verdict) for one in judged] == [("qemu", Verdict.NO_VERDICT)]


INSTRUMENTS: list[tuple[Change, str, Severity, str]] = [
    (
        with_campaign_fact("instrument.disk", "unavailable: the volume lies on none"),
        "campaign",
        Severity.WARNING,
        "not watched on this device: disk, without which nothing shows whether writes reached the device "
        "(the volume lies on none)",
    ),
    (
        with_campaign_fact("instrument.thermal", "unavailable: no sensor"),
        "campaign",
        Severity.NOTE,
        "not watched on this device: thermal (no sensor)",
    ),
    (
        with_boot_fact("instrument.bill", "failed: not read: OSError: gone"),
        "environment:qemu",
        Severity.WARNING,
        "lost in 10 of 10 boots of qemu: bill, without which nothing shows whether the CPU bill closes "
        "(not read: OSError: gone)",
    ),
    (
        with_boot_fact("instrument.samples_dropped", 7),
        "environment:qemu",
        Severity.NOTE,
        "70 samples of qemu found no room: its series have holes, its figures stand",
    ),
]


@pytest.mark.parametrize(("change", "scope", "severity", "sentence"), INSTRUMENTS)
def test_what_was_not_watched_is_said(
    sound: CampaignData, change: Change, scope: str, severity: Severity, sentence: str
) -> None:
    watched = with_campaign_fact("instrument.net", "10 Hz")
    [found] = [one for one in quality_warnings(both(watched, change)(sound)) if one.id == "instrument-lost"]
    assert (found.scope, found.severity, found.sentence) == (scope, severity, sentence)
    assert "instrument-lost" not in ids(watched(sound))


def test_what_changed_is_said_of_whom_it_is_true(sound: CampaignData) -> None:
    change = both(
        with_campaign_fact("sysctl.vm.swappiness", "60", "1", "60"),
        with_campaign_fact("network.peer_round_trip_s", 0.001, 0.002),
        with_environment_fact("version.qemu", "7.2.0"),
        with_environment_fact("version.qemu", "10.0.0"),
        with_environment_fact("version.runc", "1.1.5", "native"),
    )
    found = [one for one in quality_warnings(change(sound)) if one.id == "facts-changed"]
    assert [(one.scope, one.severity) for one in found] == [
        ("environment:qemu", Severity.WARNING),
        ("campaign", Severity.NOTE),
    ]
    assert found[0].sentence == "qemu changed during the campaign: version.qemu 7.2.0 → 10.0.0"
    assert found[1].figures == {"sysctl.vm.swappiness": "60 → 1 → 60"}
    assert "facts-changed" not in ids(sound)


def in_groups(data: CampaignData, *minutes: float) -> CampaignData:
    """As if each block's boots measured point groups that took so long, one after the other."""
    boots, began = [], 0.0
    for block in dict.fromkeys(boot.block for boot in data.boots):
        for group, length in enumerate(minutes):
            own = [boot for boot in data.boots if boot.block == block]
            step = 60.0 * length / len(own)
            for boot in own:
                boots.append(replace(boot, group=group, t0=began, t1=began + step))
                began += step
    return replace(data, boots=tuple(boots))


@pytest.mark.parametrize(
    ("minutes", "said"),
    [
        ((44.0,), ""),
        ((46.0,), "10 of 10 blocks took longer than 45 minutes"),
        ((44.0, 44.0, 44.0), ""),
        ((5.0, 60.0, 5.0), "10 of 30 point groups in a block took longer than 45 minutes"),
    ],
)
def test_every_point_group_has_its_own_limit(sound: CampaignData, minutes: tuple[float, ...], said: str) -> None:
    found = [one.sentence for one in quality_warnings(in_groups(sound, *minutes)) if one.id == "long-blocks"]
    assert found == ([said] if said else [])


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


def test_differences_are_those_from_the_baseline_that_is_read_with(sound: CampaignData) -> None:
    change = both(with_boot_fact("kernel.release", "6.12"), with_boot_fact("kernel.release", "6.1", "native"))

    def told(data: CampaignData) -> set[str]:
        return {one.sentence for one in quality_warnings(data) if one.id == "kernel-differs"}

    changed = change(sound)
    assert any("qemu runs on kernel 6.12, native on 6.1" in one for one in told(changed))
    turned = told(replace(changed, chosen_baseline="qemu"))
    assert any("native runs on kernel 6.1, qemu on 6.12" in one for one in turned)
    assert not any(one.startswith("qemu") for one in turned)


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
