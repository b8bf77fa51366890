"""The meters of one boot (contract §10): load pulses, idles, and how each meter's clock stands to the host's.

A meter costs energy figures when it fails, never performance ones: nothing here raises for it.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from statistics import fmean

from primetime.campaign.device import Device
from primetime.errors import UserError
from primetime.instruments.power import meter, resolves
from primetime.instruments.power.base import JOULES, Meter
from primetime.instruments.power.recorder import LOAD, PREFIX, Recorder
from primetime.intervals import Alignment, align, pulse_spans
from primetime.model import Fact, PowerSpec, SeriesChunk
from primetime.store import CampaignFile, ClockRelation

BEFORE, AFTER = "pulses", "pulses-after"
IDLE_HOST, IDLE_ENVIRONMENT = "idle-host", "idle-environment"
SETTLED_S = 3.0  # of quiet around a train of pulses that alignment looks at
Series = list[tuple[float, float]]


class Metering:
    """Records the study's meters through one boot; without meters it does nothing and takes no time."""

    def __init__(self, campaign: CampaignFile, device: Device, boot_id: int) -> None:
        self.campaign = campaign
        self.device = device
        self.boot_id = boot_id
        self.power: PowerSpec = device.power
        self.recorder: Recorder | None = None
        self.trains: list[tuple[float, float]] = []  # host time of each train of pulses
        self.load: Series = []
        self.watts: dict[str, Series] = {spec.name: [] for spec in self.power.meters}

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record as long as the block lasts; what was recorded and what it says of the clocks is kept in any case."""
        if not self.power.meters:
            yield
            return
        self.recorder = Recorder([meter(spec) for spec in self.power.meters])
        try:
            with self.recorder:
                yield
        finally:
            self.commit()
            self.note_clocks(self.recorder)

    def pulses(self) -> None:
        """Idle, full load, idle, full load, idle: the marks by which a meter's clock is found."""
        if self.recorder is None or self.power.pulse_s <= 0:
            return
        slowest = min(one.meter.channels()[0].hz for one in self.recorder.recordings)
        self.recorder.hurry(True)
        t0 = self.device.now()
        for index, seconds in enumerate(pulse_spans(self.power.pulse_s, 1.0 / slowest)):
            if index % 2:
                self.device.full_load(seconds)
            else:
                time.sleep(seconds)
        self.trains.append((t0, self.device.now()))
        self.recorder.hurry(False)

    def idle(self) -> None:
        """Do nothing for as long as an idle needs to have an energy figure."""
        if self.recorder is not None:
            time.sleep(self.power.idle_s)

    def settle_after(self) -> None:
        """Wait until the last samples of a train have come in."""
        if self.recorder is not None and self.power.pulse_s > 0:
            time.sleep(SETTLED_S)

    def commit(self) -> None:
        """Write what was recorded since the last call; between windows only."""
        if self.recorder is None:
            return
        chunks = self.recorder.chunks()
        self.campaign.add_chunks(self.boot_id, chunks)
        for chunk in chunks:
            self.remember(chunk)

    def remember(self, chunk: SeriesChunk) -> None:
        """Keep the load and every billed channel for alignment."""
        if chunk.instrument == LOAD:
            self.load += [(t, row[0]) for t, row in zip(chunk.t, chunk.rows, strict=True) if row[0] is not None]
            return
        series = self.watts[chunk.instrument.removeprefix(PREFIX)]
        series += [(t, row[0]) for t, row in zip(chunk.t, chunk.rows, strict=True) if row[0] is not None]

    def note_clocks(self, recorder: Recorder) -> None:
        """Write down how every meter did, and its offset, drift and filter as both trains of pulses show them."""
        facts = list(recorder.facts())
        for recording in recorder.recordings:
            name = f"{PREFIX}{recording.meter.name}"
            found = [(sum(train) / 2, self.aligned(recording.meter, train)) for train in self.trains]
            good = [(middle, one) for middle, one in found if one is not None]
            facts.append(Fact(f"{name}.aligned", len(good)))
            if good:
                facts += [Fact(f"{name}.{key}", value) for key, value in relation(good).items()]
                self.campaign.add_clock(clock_relation(name, good))
        self.campaign.add_facts(Fact(fact.name, fact.value, "boot", str(self.boot_id)) for fact in facts)

    def aligned(self, one: Meter, train: tuple[float, float]) -> Alignment | None:
        """Align one meter by one train of pulses."""
        low, high = train[0] - SETTLED_S, train[1] + SETTLED_S
        load = self.load[bisect_left(self.load, (low,)) : bisect_left(self.load, (high,))]
        watts = self.watts[one.name]
        if one.channels()[0].unit == JOULES:
            watts = [((t0 + t1) / 2, (j1 - j0) / (t1 - t0)) for (t0, j0), (t1, j1) in pairwise(watts)]
        return align(load, [sample for sample in watts if low - 10.0 <= sample[0] <= high + 10.0])


def relation(good: list[tuple[float, Alignment]]) -> dict[str, float]:
    """Offset at the first train, drift to the last one, filter and error, as facts."""
    first, last = good[0], good[-1]
    drift = (last[1].offset_s - first[1].offset_s) / (last[0] - first[0]) if len(good) > 1 else 0.0
    return {
        "offset_at": round(first[0], 3),
        "offset_s": round(first[1].offset_s, 4),
        "drift_ppm": round(1e6 * drift, 1),
        "lag_s": round(fmean(one.lag_s for _, one in good), 3),
        "lag_error_s": round(lag_error([one.lag_s for _, one in good]), 3),
        "residual_s": round(max(one.residual_s for _, one in good), 4),
        "correlation": round(min(one.correlation for _, one in good), 4),
    }


def lag_error(lags: list[float]) -> float:
    """What the trains leave open of a filter: a tenth of it, or as far as they are apart."""
    return max(0.1 * fmean(lags), (max(lags) - min(lags)) / 2)


def clock_relation(name: str, good: list[tuple[float, Alignment]]) -> ClockRelation:
    """The newest boot's relation, for the view `clocks`."""
    found = relation(good)
    return ClockRelation(name, "monotonic", found["offset_s"], found["drift_ppm"], found["residual_s"])


def meter_facts(power: PowerSpec) -> tuple[Fact, ...]:
    """What every meter of the study is: kind, place, step, rate, accuracy, what it does not see."""
    found: list[Fact] = []
    for spec in power.meters:
        try:
            one = meter(spec)
            channel, words = one.channels()[0], one.unavailable() or resolves(one)
        except UserError as error:
            found.append(Fact(f"{PREFIX}{spec.name}", f"{spec.kind}: {error.message}"))
            continue
        name = f"{PREFIX}{spec.name}"
        found += [Fact(name, f"{spec.kind}: {words}"), Fact(f"{name}.channel", channel.name)]
        found += [Fact(f"{name}.unit", channel.unit), Fact(f"{name}.resolution", channel.resolution)]
        found += [Fact(f"{name}.hz", channel.hz), Fact(f"{name}.accuracy", channel.accuracy)]
    return tuple(found)
