"""rapl: the energy counters of x86 packages (powercap); root only since Linux 5.10.

    [meter.package]
    kind = "rapl"

The counter wraps at max_energy_range_uj, after minutes at full load: it is read often enough to see every wrap.
Packages are added up; their sub-zones (core, uncore, dram) are kept and never summed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from primetime.instruments.power.base import JOULES, TOTAL, Meter, Place, PowerChannel, Reading, Setting, now
from primetime.model import Params

ROOT = "/sys/class/powercap"
STEP_J = 61e-6  # Intel's default energy unit, 2^-14 J
MISSING = "memory, storage, network, fans, the board's converters and the power supply"


class Rapl(Meter):
    """See the module."""

    kind = "rapl"
    settings = (Setting("root", ROOT, "where powercap is mounted"),)

    def __init__(self, name: str, given: Params) -> None:
        super().__init__(name, given)
        self.zones = sorted(Path(self.word("root")).glob("intel-rapl:*"))
        self.last: dict[str, int] = {}
        self.wraps: dict[str, int] = {}

    def unavailable(self) -> str:
        if not self.zones:
            return "no RAPL counters (powercap) on this device"
        try:
            for zone in self.zones:
                (zone / "energy_uj").read_text(encoding="ascii")
        except OSError as error:
            return f"RAPL counters cannot be read: {error.strerror or error}"
        return ""

    def channels(self) -> tuple[PowerChannel, ...]:
        total = PowerChannel(TOTAL, JOULES, Place.BOARD, STEP_J, 10.0, 0.0, MISSING)
        zones = [PowerChannel(zone.name, JOULES, Place.BOARD, STEP_J, 10.0, 0.0, MISSING) for zone in self.zones]
        return (total, *zones)

    def read(self) -> Sequence[Reading]:
        values = {zone.name: self.joules(zone) for zone in self.zones}
        packages = [zone.name for zone in self.zones if zone.name.count(":") == 1 and named(zone).startswith("package")]
        if not packages:
            raise ValueError("no package zone among the RAPL counters")
        return now({TOTAL: sum(values[name] for name in packages), **values})

    def joules(self, zone: Path) -> float:
        """The counter without its wraps."""
        value = int((zone / "energy_uj").read_text(encoding="ascii"))
        top = int((zone / "max_energy_range_uj").read_text(encoding="ascii"))
        if value < self.last.get(zone.name, 0):
            self.wraps[zone.name] = self.wraps.get(zone.name, 0) + 1
        self.last[zone.name] = value
        return (self.wraps.get(zone.name, 0) * (top + 1) + value) / 1e6


def named(zone: Path) -> str:
    """What a zone calls itself."""
    return (zone / "name").read_text(encoding="ascii").strip()
