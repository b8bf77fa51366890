"""The sampler: edges, series, failures, bounds."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from primetime.errors import UserError
from primetime.instruments import MEMBERS, default_names, instrument, instrument_facts
from primetime.instruments.base import Instrument, KeptFile, Raw, Reading
from primetime.instruments.fake import FakeInstrument
from primetime.instruments.sampler import Sampler
from primetime.instruments.thermal import Thermal
from primetime.model import Footprint

NOTHING = Footprint()
PATIENCE_S = 5.0


class FastFake(FakeInstrument):
    """Sampled as often as a test needs it."""

    name = "fast"
    hz = 200.0


class Broken(FakeInstrument):
    """Fails at what `at` names."""

    name = "broken"

    def __init__(self, at: str) -> None:
        super().__init__()
        self.at = at
        self.closed = 0

    def open(self, footprint: Footprint) -> None:
        if self.at == "open":
            raise FileNotFoundError("no such counter")
        super().open(footprint)

    def read(self) -> Raw:
        if self.at == "read":
            raise OSError("the sensor is off")
        return super().read()

    def parse(self, raw: Raw) -> Reading:
        if self.at == "parse":
            raise ValueError("not a number")
        return super().parse(raw)

    def close(self) -> None:
        self.closed += 1


class Buggy(FastFake):
    """Raises what no text of a kernel can cause."""

    def read(self) -> Raw:
        raise AssertionError("a bug of ours")


def until(true: Callable[[], bool]) -> None:
    """Wait for the sampling thread."""
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, "the sampling thread did nothing"
        time.sleep(0.002)


def test_a_sampler_without_instruments_works() -> None:
    with Sampler((), NOTHING) as sampler:
        before = sampler.edge()
        sampler.hold(0)
        assert sampler.measurements(before, sampler.edge()) == ()
        assert sampler.chunks() == ()
        assert sampler.facts() == ()


def test_a_window_is_the_growth_between_its_edges() -> None:
    with Sampler((FakeInstrument(step=3.0),), NOTHING) as sampler:
        before = sampler.edge()
        sampler.edge()
        (measured,) = sampler.measurements(before, sampler.edge())
    assert (measured.metric.name, measured.value) == ("fake_count", 6.0)


def test_edges_are_samples_and_chunks_hand_each_over_once() -> None:
    with Sampler((FakeInstrument(),), NOTHING) as sampler:
        for _ in range(3):
            sampler.edge()
        (first,) = sampler.chunks()
        assert sampler.chunks() == ()
        sampler.edge()
        (second,) = sampler.chunks()
    assert first.rows == ((1.0,), (2.0,), (3.0,))
    assert second.rows == ((4.0,),)
    assert list(first.t) == sorted(set(first.t))


def test_the_thread_samples_while_the_runner_holds_and_time_only_grows() -> None:
    watch = FastFake()
    with Sampler((watch,), NOTHING) as sampler:
        until(lambda: watch.value >= 4)
        sampler.edge()
        (series,) = sampler.chunks()
    assert len(series.t) >= 4
    assert all(earlier < later for earlier, later in zip(series.t, series.t[1:], strict=False))
    assert [row[0] for row in series.rows] == sorted(row[0] or 0 for row in series.rows)


@pytest.mark.parametrize("at", ["open", "read", "parse"])
def test_an_instrument_that_fails_says_so_and_the_others_go_on(at: str) -> None:
    broken = Broken(at)
    with Sampler((broken, FakeInstrument()), NOTHING) as sampler:
        before = sampler.edge()
        after = sampler.edge()
        assert [one.metric.name for one in sampler.measurements(before, after)] == ["fake_count"]
        assert [series.instrument for series in sampler.chunks()] == ["fake"]
        (fact,) = sampler.facts()
    assert fact.name == "instrument.broken"
    assert str(fact.value).startswith("failed: ")
    assert broken.closed == 1


def test_a_bug_of_ours_in_the_thread_reaches_the_runner() -> None:
    with Sampler((Buggy(),), NOTHING) as sampler:
        until(lambda: sampler.bug is not None)
        with pytest.raises(AssertionError, match="a bug of ours"):
            sampler.edge()


def test_memory_is_bounded_and_edges_stay_good_beyond_it() -> None:
    with Sampler((FakeInstrument(),), NOTHING, held_limit=1000) as sampler:
        before = sampler.edge()
        for _ in range(20):
            after = sampler.edge()
        (measured,) = sampler.measurements(before, after)
        assert measured.value == 20.0
        (series,) = sampler.chunks()
        assert len(series.t) < 20
        (fact,) = sampler.facts()
        assert fact.value == 21 - len(series.t)
        sampler.edge()
        assert len(sampler.chunks()) == 1  # there is room again


def test_a_kept_file_is_read_to_its_end_though_the_kernel_hands_it_out_in_pieces() -> None:
    """/proc/self/maps gives whole records of about a page per read."""
    path = Path("/proc/self/maps")
    assert len(path.read_bytes()) > 4096
    file = KeptFile(path)
    try:
        first, second = file.read().splitlines(), file.read().splitlines()
    finally:
        file.close()
    assert first[-1] == second[-1] == path.read_bytes().splitlines()[-1]


def test_every_member_has_its_name_and_is_a_fact(tmp_path: Path) -> None:
    for name in MEMBERS:
        assert instrument(name, tmp_path, "").name == name
    assert [fact.name for fact in instrument_facts(tmp_path, "")] == [f"instrument.{name}" for name in default_names()]
    with pytest.raises(UserError, match="unknown instrument 'gpu'"):
        instrument("gpu", tmp_path, "")


def test_thermal_scales_what_a_board_shows(tmp_path: Path) -> None:
    """A tree laid out as on a Raspberry Pi; the file formats are the kernel's."""
    files = {
        "class/thermal/thermal_zone0/temp": "48312\n",
        "devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1500000\n",
        "devices/platform/soc/soc:firmware/get_throttled": "50005\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
    watch: Instrument = Thermal(tmp_path)
    assert watch.unavailable() == ""
    watch.open(NOTHING)
    try:
        reading = {channel.name: value for channel, value in watch.parse(watch.read()).items()}
    finally:
        watch.close()
    assert reading == {"temperature.thermal_zone0": 48.312, "frequency.cpu0": 1.5e9, "throttled": float(0x50005)}
    assert "no temperature" in Thermal(tmp_path / "elsewhere").unavailable()
