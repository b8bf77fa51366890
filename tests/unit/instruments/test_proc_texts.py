"""What each instrument makes of the kernel's texts, recorded on Linux 6.18."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primetime.host.routes import default_link
from primetime.instruments import cgroup, cpu, memory, net, threads
from primetime.instruments.base import CLOCK_TICK_S, Raw, Reading
from primetime.instruments.disk import Disk
from primetime.instruments.interrupts import Interrupts
from primetime.instruments.observer import Observer
from primetime.model import Channel, Measurement

RECORDED = Path(__file__).parents[2] / "recorded"
TICKS = st.integers(min_value=0, max_value=2**40)


def recorded(name: str) -> bytes:
    return (RECORDED / f"{name}-linux-6.18.txt").read_bytes()


def by_name(reading: Reading) -> dict[str, float]:
    return {channel.name: value for channel, value in reading.items()}


def figures(measured: tuple[Measurement, ...]) -> dict[str, float]:
    return {one.metric.name: one.value for one in measured}


def ticks(**kinds: int) -> str:
    return "cpu0 " + " ".join(str(kinds.get(field, 0)) for field in cpu.FIELDS)


def test_cpu_reads_the_recorded_totals() -> None:
    reading = by_name(cpu.Cpu().parse((recorded("proc-stat"),)))
    assert reading["cpus"] == 2
    assert reading["user"] == pytest.approx(56383 * CLOCK_TICK_S)
    assert reading["softirq"] == pytest.approx(4214 * CLOCK_TICK_S)


def test_percpu_takes_only_the_lines_of_single_cpus() -> None:
    reading = by_name(cpu.PerCpu().parse((recorded("proc-stat").partition(b"intr")[0],)))
    assert {name.split(".")[0] for name in reading} == {"cpu0", "cpu1"}
    assert reading["cpu1.idle"] == pytest.approx(326633 * CLOCK_TICK_S)


@given(st.lists(TICKS, min_size=10, max_size=10))
def test_guest_time_is_never_counted_twice(values: list[int]) -> None:
    """The kernel's own user holds guest: apart, the kinds add up to the kernel's first eight fields."""
    shown = dict(zip(cpu.FIELDS, values, strict=True))
    shown["user"] += shown["guest"]
    shown["nice"] += shown["guest_nice"]
    parsed = cpu.parse_line(ticks(**shown))
    whole = sum(shown[field] for field in cpu.FIELDS[:8])
    assert sum(parsed.values()) == pytest.approx(whole * CLOCK_TICK_S)
    assert parsed["guest"] == pytest.approx(shown["guest"] * CLOCK_TICK_S)


def test_cpu_window_bills_wall_less_idle_and_adds_nice_to_user() -> None:
    def stat(line: str) -> Raw:
        return (f"{line.replace('cpu0', 'cpu ')}\n{line}\n".encode(),)

    per_second = round(1 / CLOCK_TICK_S)
    watch = cpu.Cpu()
    after = watch.parse(stat(ticks(user=3 * per_second, nice=2 * per_second, guest=per_second, idle=5 * per_second)))
    found = figures(watch.window(watch.parse(stat(ticks())), after, seconds=10.0))
    assert found["cpu_busy"] == pytest.approx(5.0)
    assert found["cpu_user"] == pytest.approx(4.0)
    assert found["cpu_guest"] == pytest.approx(1.0)


def test_an_old_kernel_without_guest_fields_has_no_guest_channel() -> None:
    assert set(cpu.parse_line("cpu0 1 2 3 4 5 6 7 8")) == set(cpu.FIELDS[:8])


def test_disk_reads_sectors_as_512_bytes_and_flushes() -> None:
    reading = by_name(Disk(Path("/proc")).parse((recorded("block-stat"),)))
    fields = [int(field) for field in recorded("block-stat").split()]
    assert reading["written_bytes"] == fields[6] * 512
    assert reading["flushes"] == fields[15]


def test_a_kernel_without_flush_counters_gives_no_flush_figure() -> None:
    old = b" ".join(recorded("block-stat").split()[:11])
    watch = Disk(Path("/proc"))
    reading = watch.parse((old,))
    assert set(figures(watch.window(reading, reading, 1.0))) == {"disk_read", "disk_written"}


def test_a_volume_without_a_block_device_says_why() -> None:
    assert "block device" in Disk(Path("/proc")).unavailable()


def test_net_tells_the_environments_interface_from_the_control_interface() -> None:
    watch = net.Net(default_link(recorded("proc-net-route").decode()))
    watch.carrying = frozenset({"ptv7"})
    reading = watch.parse((recorded("proc-net-dev"),))
    named = by_name(reading)
    assert watch.control == "uplink"
    assert (named["environment.rx_packets"], named["environment.tx_packets"]) == (5, 6)
    assert named["control.rx_bytes"] == 516
    assert not [name for name in named if not name.startswith(("environment.", "control."))]
    before = dict.fromkeys(reading, 0.0)
    assert figures(watch.window(before, reading, 1.0))["net_packets"] == 11


def test_interrupts_are_totals_of_the_host() -> None:
    watch = Interrupts()
    reading = watch.parse((recorded("proc-stat"), recorded("proc-softirqs")))
    named = by_name(reading)
    assert named["interrupts"] == 5726520
    assert named["context_switches"] == 15886978
    assert named["softirq.TIMER"] > 0
    assert set(figures(watch.window(reading, reading, 1.0)).values()) == {0.0}


def test_meminfo_is_in_bytes() -> None:
    named = by_name(memory.Memory().parse((recorded("proc-meminfo"),)))
    line = next(line for line in recorded("proc-meminfo").decode().splitlines() if line.startswith("MemFree"))
    assert named["MemFree"] == int(line.split()[1]) * 1024


def test_a_threads_name_may_hold_brackets_and_blanks() -> None:
    named = by_name(threads.parse_thread(recorded("proc-pid-stat").decode(), recorded("proc-pid-schedstat").decode()))
    kinds = {name.rpartition(".")[2] for name in named}
    assert kinds == {"user", "system", "cpu"}
    assert all(name.startswith("vcpu) 0 (x.") for name in named)
    exact = next(value for name, value in named.items() if name.endswith(".cpu"))
    assert sum(named.values()) - exact == pytest.approx(exact, abs=3 * CLOCK_TICK_S)


def test_a_thread_without_schedstat_keeps_its_ticks_and_a_gone_one_has_nothing() -> None:
    found = threads.parse_thread(recorded("proc-pid-stat").decode(), "")
    assert len(found) == 2
    assert threads.parse_thread("", "") == {}


def test_a_processs_clock_is_read_from_either_file() -> None:
    ticked = cgroup.parse_clock(recorded("proc-pid-stat").decode())
    exact = cgroup.parse_clock(recorded("proc-pid-schedstat").decode())
    assert ticked == pytest.approx(exact, abs=3 * CLOCK_TICK_S)


def test_cgroup_files_of_both_versions_give_one_clock() -> None:
    clock = Channel("cpu", "CPU s", True)
    nanoseconds = int(recorded("cgroup1-cpuacct-usage"))
    assert cgroup.parse_file(recorded("cgroup1-cpuacct-usage").decode())[clock] == pytest.approx(nanoseconds / 1e9)
    microseconds = int(recorded("cgroup2-cpu-stat").split()[1])
    assert cgroup.parse_file(recorded("cgroup2-cpu-stat").decode())[clock] == pytest.approx(microseconds / 1e6)
    old = by_name(cgroup.parse_file(recorded("cgroup1-memory-stat").decode()))
    assert set(old) == {"anon", "file", "dirty", "writeback"}


def test_cgroups_are_summed_and_a_process_that_ended_takes_nothing_back() -> None:
    watch = cgroup.CgroupUse()
    watch.outside = (7,)
    before = watch.parse((b"1000000000\n", b"2000000000\n", b"5000000000 0 1\n"))
    ended = watch.parse((b"1500000000\n", b"2500000000\n", b""))
    assert figures(watch.window(before, ended, 1.0))["cpu_environment"] == pytest.approx(1.0)
    lives = watch.parse((b"1500000000\n", b"2500000000\n", b"5250000000 0 1\n"))
    assert figures(watch.window(before, lives, 1.0))["cpu_environment"] == pytest.approx(1.25)


def test_a_footprint_without_cgroups_has_no_environment_figure() -> None:
    assert cgroup.CgroupUse().window({}, {}, 1.0) == ()


def test_the_observer_reads_its_own_io() -> None:
    named = by_name(Observer().parse((b"1500000000", recorded("proc-self-io"))))
    assert named == {"cpu": 1.5, "written_bytes": 0.0, "read_bytes": 0.0}
