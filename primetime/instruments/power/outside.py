"""outside: a meter of a fleet's controller, as the board that it watches knows it. Not for study files.

`primetime fleet` adds it to the study that a board is given (docs/fleet.md): the board makes load pulses and idles
for it and lengthens its windows, the controller records it and puts its series into the campaign that it fetches.
"""

from __future__ import annotations

from collections.abc import Sequence

from primetime.instruments.power.base import TOTAL, WATTS, Meter, Place, PowerChannel, Reading, Setting

OUTSIDE = "outside"


class Outside(Meter):
    """See the module. Its settings are the billed channel of the meter that it stands for."""

    kind = OUTSIDE
    settings = (
        Setting("meter", "", "the kind that it is on the controller", required=True),
        Setting("channel", TOTAL, "the channel that is billed"),
        Setting("unit", WATTS, "W, or J for a counter"),
        Setting("place", Place.WALL.value, "wall, supply or board"),
        Setting("resolution", 0.001, "its smallest step, in its unit"),
        Setting("hz", 1.0, "new values a second"),
        Setting("accuracy", 0.0, "half-width of the maker's bound"),
        Setting("missing", "", "what it does not see"),
    )

    def channels(self) -> tuple[PowerChannel, ...]:
        step, hz, accuracy = (self.number(key) for key in ("resolution", "hz", "accuracy"))
        place = Place(self.word("place"))
        name, unit, missing = (self.word(key) for key in ("channel", "unit", "missing"))
        return (PowerChannel(name, unit, place, step, hz, accuracy, missing),)

    def read(self) -> Sequence[Reading]:
        raise OSError("the controller reads it")
