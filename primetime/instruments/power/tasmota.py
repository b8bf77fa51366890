"""tasmota: a plug with Tasmota's firmware, over HTTP in its own network.

[meter.plug]
kind = "tasmota"
host = "192.168.1.51"
resolution = 0.1                 # W: 1 with WattRes 0, 0.1 with 1, 0.01 with 2, 0.001 with 3
"""

from __future__ import annotations

from collections.abc import Sequence

from primetime.instruments.power.base import (
    TOTAL,
    WATTS,
    Meter,
    Place,
    PowerChannel,
    Reading,
    Setting,
    finite_watts,
    now,
)
from primetime.instruments.power.http_json import dig, get_json

STATUS = ("StatusSNS.ENERGY.Power", "StatusPWR.Power")  # of Status 10, and of Status 8 in old versions
CODES = ("10", "8")


class Tasmota(Meter):
    """See the module."""

    kind = "tasmota"
    settings = (
        Setting("host", "", "the plug's address", required=True),
        Setting("resolution", 1.0, "the step of its power in W, as WattRes sets it"),
    )

    def channels(self) -> tuple[PowerChannel, ...]:
        step = self.number("resolution")
        return (PowerChannel(TOTAL, WATTS, Place.WALL, step, 1.0, 0.02, "nothing: the power supply is included"),)

    def read(self) -> Sequence[Reading]:
        problem = ""
        for code, path in zip(CODES, STATUS, strict=True):
            answer = get_json(f"http://{self.word('host')}/cm?cmnd=Status%20{code}")
            try:
                power = dig(answer, path)
            except ValueError as error:
                problem = problem or str(error)
                continue
            return now({TOTAL: finite_watts(power[0] if isinstance(power, list) and power else power, "Power")})
        raise ValueError(problem)
