"""Temperature, CPU frequency and throttling: /sys/class/thermal, cpufreq, and the Raspberry Pi's flags."""

from __future__ import annotations

from pathlib import Path

from primetime.instruments.base import Instrument, KeptFile, Raw, Reading, cost
from primetime.model import Channel, Footprint, Measurement

SYSFS = Path("/sys")
ZONES = "class/thermal/thermal_zone*/temp"
CLOCKS = "devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq"
FLAGS = Channel("throttled", "flags", False)
NOW = 0xF  # the low bits hold now, the same ones 16 higher have held since the host started
THROTTLED = "devices/platform/soc/soc:firmware/get_throttled"  # Raspberry Pi: a hexadecimal bit set


class Thermal(Instrument):
    """Whatever of the three this device shows."""

    name = "thermal"
    hz = 10.0

    def __init__(self, sysfs: Path = SYSFS) -> None:
        super().__init__()
        self.sources = sources(sysfs)

    def unavailable(self) -> str:
        return "" if self.sources else "this device shows no temperature, frequency or throttle flag"

    def open(self, footprint: Footprint) -> None:  # noqa: ARG002 - the whole host
        self.files = [KeptFile(path) for _, path in self.sources]

    def parse(self, raw: Raw) -> Reading:
        found: dict[Channel, float] = {}
        for (channel, _), content in zip(self.sources, raw, strict=True):
            if content.strip():
                found[channel] = scaled(channel, content.decode("ascii").strip())
        return found

    def window(self, before: Reading, after: Reading, seconds: float) -> tuple[Measurement, ...]:  # noqa: ARG002
        """The flags that hold at either edge, or came up between: the sticky ones of before are not this window's."""
        if FLAGS not in before or FLAGS not in after:
            return ()
        first, last = int(before[FLAGS]), int(after[FLAGS])
        return (cost("throttled", FLAGS.unit, float((first | last) & NOW | (last & ~first))),)


def sources(sysfs: Path) -> list[tuple[Channel, Path]]:
    """Channels with the files that show them."""
    zones, clocks, flags = (sorted(sysfs.glob(pattern)) for pattern in (ZONES, CLOCKS, THROTTLED))
    found = [(Channel(f"temperature.{path.parent.name}", "°C", False), path) for path in zones]
    found += [(Channel(f"frequency.{path.parents[1].name}", "Hz", False), path) for path in clocks]
    found += [(FLAGS, path) for path in flags]
    return [(channel, path) for channel, path in found if readable(path)]


def readable(path: Path) -> bool:
    """Whether a sensor answers: some zones exist and give errors."""
    try:
        path.read_bytes()
    except OSError:
        return False
    return True


def scaled(channel: Channel, text: str) -> float:
    """Millidegrees to degrees, kHz to Hz, hexadecimal flags to a number."""
    if channel.unit == "°C":
        return int(text) / 1000.0
    if channel.unit == "Hz":
        return int(text) * 1000.0
    return float(int(text, 16))
