"""pmic: the Raspberry Pi 5's power controller, through `vcgencmd pmic_read_adc`; the sum of volts × amperes.

    [meter.pi5]
    kind = "pmic"

Twelve rails have both; EXT5V and BATT have volts only. What hangs on the 5 V rail (USB, HATs, NVMe) and the
converters' loss are not in the sum, so it is less than a meter before the board says.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from primetime.errors import PrimetimeError
from primetime.host.process import find_program, run
from primetime.instruments.power.base import TOTAL, WATTS, Meter, Place, PowerChannel, Reading, now

PROGRAM = "vcgencmd"
LINE = re.compile(r"^\s*(\w+)_([AV])\s.*?=\s*([0-9.]+)[AV]\s*$", re.MULTILINE)
MISSING = "USB, HATs and NVMe on the 5 V rail, and the loss of converters and power supply"


class Pmic(Meter):
    """See the module."""

    kind = "pmic"

    def unavailable(self) -> str:
        if find_program(PROGRAM) is None:
            return "no vcgencmd: not a Raspberry Pi"
        try:
            self.read()
        except (OSError, ValueError) as error:
            return f"this Raspberry Pi has no power sensor: {error}"
        return ""

    def channels(self) -> tuple[PowerChannel, ...]:
        return (PowerChannel(TOTAL, WATTS, Place.BOARD, 0.001, 10.0, 0.0, MISSING),)

    def read(self) -> Sequence[Reading]:
        try:
            said = run([PROGRAM, "pmic_read_adc"], timeout_s=2.0)
        except PrimetimeError as error:
            raise OSError(error.message) from None
        return now({TOTAL: rails_sum(said.stdout.decode("ascii", "replace"))})


def rails_sum(text: str) -> float:
    """Watts of all rails that show volts and amperes; ValueError when none does."""
    shown: dict[str, dict[str, float]] = {"A": {}, "V": {}}
    for rail, unit, number in LINE.findall(text):
        shown[unit][rail] = float(number)
    both = shown["A"].keys() & shown["V"].keys()
    if not both:
        raise ValueError("no rail shows volts and amperes")
    return sum(shown["A"][rail] * shown["V"][rail] for rail in both)
