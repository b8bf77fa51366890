"""ina3221: the three-channel sensor of Jetson boards, in both of its forms.

    [meter.jetson]
    kind = "ina3221"

L4T R32 shows iio files (rail_name_N, in_powerN_input in mW), later kernels hwmon (inN_label, inN_input in mV,
currN_input in mA). The first channel (POM_5V_IN, VDD_IN) is the total: the others are parts of it, kept and never
summed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from primetime.instruments.power.base import WATTS, Meter, Place, PowerChannel, Reading, Setting, now
from primetime.instruments.power.hwmon import value
from primetime.model import Params

LEGACY = "bus/i2c/drivers/ina3221x/*/iio:device*"
HWMON = "class/hwmon/hwmon*"
MILLI = 1e-3
INPUTS = ("POM_5V_IN", "VDD_IN", "5V_IN", "VDD_5V_IN")
MISSING = "the power supply's loss, and what is fed past the sensor"


class Ina3221(Meter):
    """See the module."""

    kind = "ina3221"
    settings = (Setting("root", "/sys", "where sysfs is mounted"),)

    def __init__(self, name: str, given: Params) -> None:
        super().__init__(name, given)
        self.rails = rails(Path(self.word("root")))

    def unavailable(self) -> str:
        return "" if self.rails else "no INA3221 (Jetson's power sensor) on this device"

    def channels(self) -> tuple[PowerChannel, ...]:
        return tuple(PowerChannel(rail, WATTS, Place.BOARD, 0.008, 10.0, 0.02, MISSING) for rail in self.rails)

    def read(self) -> Sequence[Reading]:
        if not self.rails:
            raise OSError(self.unavailable())
        return now({rail: watts(paths) for rail, paths in self.rails.items()})


def rails(sysfs: Path) -> dict[str, tuple[Path, ...]]:
    """The files behind each rail: one in mW, or one in mV and one in mA. The total comes first."""
    found: dict[str, tuple[Path, ...]] = {}
    for device in sorted(sysfs.glob(LEGACY)):
        for label in sorted(device.glob("rail_name_*")):
            number = label.name.rpartition("_")[2]
            found[text(label)] = (device / f"in_power{number}_input",)
    for chip in sorted(sysfs.glob(HWMON)):
        if (chip / "name").is_file() and text(chip / "name") == "ina3221":
            for label in sorted(chip.glob("in[1-3]_label")):
                number = label.name[2]
                if (chip / f"curr{number}_input").exists():
                    found[text(label)] = (chip / f"in{number}_input", chip / f"curr{number}_input")
    total = next((rail for rail in found if rail in INPUTS), next(iter(found), ""))
    return {rail: found[rail] for rail in sorted(found, key=lambda rail: rail != total)}


def watts(paths: tuple[Path, ...]) -> float:
    """A rail's power now."""
    if len(paths) == 1:
        return value(paths[0]) * MILLI
    return value(paths[0]) * value(paths[1]) * MILLI * MILLI


def text(path: Path) -> str:
    """A label."""
    return path.read_text(encoding="ascii").strip()
