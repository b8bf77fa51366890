"""A counter that grows by a known amount at every reading, for tests of the sampler."""

from __future__ import annotations

from primetime.instruments.base import Instrument, Raw, Reading, cost, total
from primetime.model import Channel, Measurement

COUNT = Channel("count", "1", True)


class FakeInstrument(Instrument):
    """`step`: how much it grows per reading; `hz` may be set on the instance's class."""

    name = "fake"
    hz = 0.0

    def __init__(self, step: float = 1.0) -> None:
        super().__init__()
        self.step = step
        self.value = 0.0

    def read(self) -> Raw:
        self.value += self.step
        return (str(self.value).encode(),)

    def parse(self, raw: Raw) -> Reading:
        return {COUNT: float(raw[0])}

    def window(self, before: Reading, after: Reading, seconds: float) -> tuple[Measurement, ...]:  # noqa: ARG002
        return (cost("fake_count", "1", total(before, after, "count")),)
