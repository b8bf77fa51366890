"""hwmon: a power sensor that the kernel knows: powerN (µW), energyN (µJ), or inN (mV) × currN (mA).

[meter.board]
kind = "hwmon"
chip = "ina226"                  # the `name` of the hwmon device; "" takes the first that has power
sensor = "power1"                # or energy1, or 1: in1 × curr1; "" takes the first
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from primetime.instruments.power.base import JOULES, TOTAL, WATTS, Meter, Place, PowerChannel, Reading, Setting, now
from primetime.model import Params

ROOT = "/sys/class/hwmon"
MICRO, MILLI = 1e-6, 1e-3
OTHERS = ("ina3221",)  # has a kind of its own: its channels must not be taken for one another


class Hwmon(Meter):
    """See the module."""

    kind = "hwmon"
    settings = (
        Setting("chip", "", "the sensor chip's name, as /sys/class/hwmon/hwmon*/name says it"),
        Setting("sensor", "", 'e.g. "power1", "energy1", or "1" for in1 × curr1'),
        Setting("accuracy", 0.0, "half-width of the maker's bound: 0.01 for ±1 %"),
        Setting("root", ROOT, "where hwmon devices are"),
    )

    def __init__(self, name: str, given: Params) -> None:
        super().__init__(name, given)
        self.source = self.find()

    def find(self) -> tuple[Path, str] | None:
        """The chip's directory and the sensor in it."""
        for chip in sorted(Path(self.word("root")).glob("hwmon*")):
            label = chip / "name"
            if not label.is_file():
                continue
            says = label.read_text(encoding="ascii").strip()
            wanted = self.word("chip")
            if (wanted and says != wanted) or (not wanted and says in OTHERS):
                continue
            for sensor in sensors(chip):
                if self.word("sensor") in ("", sensor):
                    return chip, sensor
        return None

    def unavailable(self) -> str:
        return "" if self.source else "no hwmon device shows power, energy, or voltage and current"

    def channels(self) -> tuple[PowerChannel, ...]:
        sensor = self.source[1] if self.source else ""
        unit = JOULES if sensor.startswith("energy") else WATTS
        step = MILLI if sensor.isdigit() else MICRO
        missing = "what this sensor's rail does not feed"
        return (PowerChannel(TOTAL, unit, Place.BOARD, step, 10.0, self.number("accuracy"), missing),)

    def read(self) -> Sequence[Reading]:
        if self.source is None:
            raise OSError(self.unavailable())
        chip, sensor = self.source
        if sensor.isdigit():
            return now({TOTAL: value(chip / f"in{sensor}_input") * value(chip / f"curr{sensor}_input") * MILLI * MILLI})
        shown = [chip / f"{sensor}_{form}" for form in ("input", "average")]
        return now({TOTAL: value(next(path for path in shown if path.exists())) * MICRO})


def sensors(chip: Path) -> list[str]:
    """What of a chip shows power: powerN first, then energyN, then pairs of inN and currN."""
    names = {path.name for path in chip.iterdir()}
    found = sorted({hit[1] for one in names if (hit := re.fullmatch(r"(power\d+)_(?:input|average)", one))})
    found += sorted({hit[1] for one in names if (hit := re.fullmatch(r"(energy\d+)_input", one))})
    pairs = {hit[1] for one in names if (hit := re.fullmatch(r"curr(\d+)_input", one))}
    return [*found, *sorted(number for number in pairs if f"in{number}_input" in names)]


def value(path: Path) -> float:
    """An attribute's number."""
    return float(path.read_text(encoding="ascii"))
