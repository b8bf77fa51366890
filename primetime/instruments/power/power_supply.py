"""power_supply: a battery or charger that the kernel knows; power_now (µW), or voltage_now (µV) × current_now (µA).

[meter.battery]
kind = "power_supply"
supply = "BAT0"                  # a directory of /sys/class/power_supply; "" takes the first that shows power
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from primetime.instruments.power.base import TOTAL, WATTS, Meter, Place, PowerChannel, Reading, Setting, now
from primetime.instruments.power.hwmon import value
from primetime.model import Params

MICRO = 1e-6


class PowerSupply(Meter):
    """See the module."""

    kind = "power_supply"
    settings = (
        Setting("supply", "", "e.g. BAT0"),
        Setting("root", "/sys/class/power_supply", "where power supplies are"),
    )

    def __init__(self, name: str, given: Params) -> None:
        super().__init__(name, given)
        every = sorted(Path(self.word("root")).glob(self.word("supply") or "*"))
        self.source = next((one for one in every if files(one)), None)

    def unavailable(self) -> str:
        return "" if self.source else "no power supply shows power, or voltage and current"

    def channels(self) -> tuple[PowerChannel, ...]:
        missing = "what another supply feeds at the same time"
        return (PowerChannel(TOTAL, WATTS, Place.SUPPLY, 0.001, 1.0, 0.0, missing),)

    def read(self) -> Sequence[Reading]:
        if self.source is None:
            raise OSError(self.unavailable())
        shown = [abs(value(path)) * MICRO for path in files(self.source)]
        return now({TOTAL: shown[0] if len(shown) == 1 else shown[0] * shown[1]})


def files(supply: Path) -> list[Path]:
    """The files whose product is a supply's power; none where it shows none."""
    if (supply / "power_now").exists():
        return [supply / "power_now"]
    both = [supply / "voltage_now", supply / "current_now"]
    return both if all(path.exists() for path in both) else []
