"""The meters of one boot (contract §10): load pulses, idles, and how each meter's clock stands to the host's.

A meter costs energy figures when it fails, never performance ones: nothing here raises for it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from primetime.campaign.device import Device
from primetime.campaign.meter_clock import SETTLED_S, Series, aligned, boot_clock, note_clock
from primetime.errors import UserError
from primetime.instruments.power import meter, resolves
from primetime.instruments.power.outside import OUTSIDE
from primetime.instruments.power.recorder import LOAD, PREFIX, Recorder
from primetime.intervals import pulse_spans
from primetime.model import Fact, PowerSpec, SeriesChunk
from primetime.store import CampaignFile

BEFORE, AFTER = "pulses", "pulses-after"
IDLE_HOST, IDLE_ENVIRONMENT = "idle-host", "idle-environment"


class Metering:
    """Records the study's meters through one boot; without meters it does nothing and takes no time.

    A meter that hangs off a fleet's controller gets its pulses and idles here; its samples come later (outside.py).
    """

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
        self.recorder = Recorder([meter(spec) for spec in self.power.meters if spec.kind != OUTSIDE])
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
        slowest = min(meter(spec).channels()[0].hz for spec in self.power.meters)
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
        self.campaign.add_chunks(self.boot_id, [self.of_this_boot(chunk) for chunk in chunks])
        for chunk in chunks:
            self.remember(chunk)

    def of_this_boot(self, chunk: SeriesChunk) -> SeriesChunk:
        """A meter's clock is found anew in every boot, so each has a name of its own."""
        return chunk if chunk.instrument == LOAD else replace(chunk, clock=boot_clock(chunk.clock, self.boot_id))

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
            one = recording.meter
            found = aligned(self.trains, self.load, self.watts[one.name], one.channels()[0].unit)
            facts += note_clock(self.campaign, f"{PREFIX}{one.name}", self.boot_id, found)
        self.campaign.add_facts(Fact(fact.name, fact.value, "boot", str(self.boot_id)) for fact in facts)


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
