"""shelly: a Shelly plug or relay that measures, over HTTP in its own network.

    [meter.plug]
    kind = "shelly"
    host = "192.168.1.50"            # or host:port
    generation = 2                   # 1: /status; 2 and later: /rpc/Switch.GetStatus
    channel = 0
    component = "Switch"             # or PM1, EM1 (generation 2 and later)

A plug filters over seconds: the load pulses find out how much, and the uncertainty grows by it.
"""

from __future__ import annotations

from collections.abc import Sequence

from primetime.errors import UserError
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
from primetime.model import Params


class Shelly(Meter):
    """See the module."""

    kind = "shelly"
    settings = (
        Setting("host", "", "the plug's address", required=True),
        Setting("generation", 2, "1, or 2 for all later ones"),
        Setting("channel", 0, "which of its relays"),
        Setting("component", "Switch", "Switch, PM1 or EM1"),
    )

    def __init__(self, name: str, given: Params) -> None:
        super().__init__(name, given)
        if self.given["generation"] not in (1, 2):
            raise UserError(f"meter.{name}: generation must be 1 or 2", "2 stands for all later ones")

    def channels(self) -> tuple[PowerChannel, ...]:
        step = 0.01 if self.given["generation"] == 1 else 0.1
        return (PowerChannel(TOTAL, WATTS, Place.WALL, step, 1.0, 0.01, "nothing: the power supply is included"),)

    def read(self) -> Sequence[Reading]:
        host, channel = self.word("host"), self.word("channel")
        if self.given["generation"] == 1:
            answer = get_json(f"http://{host}/status")
            return now({TOTAL: finite_watts(dig(answer, f"meters.{channel}.power"), "power")})
        component = self.word("component")
        answer = get_json(f"http://{host}/rpc/{component}.GetStatus?id={channel}")
        field = "act_power" if component == "EM1" else "apower"
        return now({TOTAL: finite_watts(dig(answer, field), field)})
