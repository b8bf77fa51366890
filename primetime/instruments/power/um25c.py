"""um25c: a RuiDeng UM24C, UM25C or UM34C USB meter, over its Bluetooth serial line.

    [meter.usb]
    kind = "um25c"
    device = "/dev/rfcomm0"          # after: rfcomm bind 0 <address>

A request of one byte, 0xf0, gives 130 bytes, about twice a second.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from primetime.instruments.power.base import TOTAL, WATTS, Place, PowerChannel, Reading, Setting, now
from primetime.instruments.power.serial_line import SerialMeter

REQUEST, LENGTH, LIMIT_S = b"\xf0", 130, 1.5
MODELS = {0x0963: "UM24C", 0x09C9: "UM25C", 0x0D4C: "UM34C"}
POWER_AT = 6  # mW, 32 bits, big-endian; behind the model and the volts and amperes
FIXED_END = b"\xff\xf1"
XORED = (1, 3, 7, 9, 15, 17, 19, 23, 31, 39, 41, 45, 49, 53, 55, 57, 59, 63, 67, 69, 73, 79, 83, 89, 97, 99, 109,
         111, 113, 119, 121, 127)  # fmt: skip


class Um25c(SerialMeter):
    """See the module."""

    kind = "um25c"
    settings = (Setting("device", "", "its serial line, e.g. /dev/rfcomm0", required=True),)

    def channels(self) -> tuple[PowerChannel, ...]:
        missing = "the power supply's loss; its own drop is on the supply's side"
        return (PowerChannel(TOTAL, WATTS, Place.SUPPLY, 0.001, 2.0, 0.01, missing),)

    def read(self) -> Sequence[Reading]:
        return now({TOTAL: parse(self.line.ask(REQUEST, LENGTH, LIMIT_S))})


def parse(answer: bytes) -> float:
    """Watts; ValueError for what is no answer of these meters."""
    model = MODELS.get(int.from_bytes(answer[:2], "big"), "")
    if len(answer) != LENGTH or not model:
        raise ValueError("not an answer of a UM24C, UM25C or UM34C")
    check = 0
    for place in XORED:
        check ^= answer[place]
    if (answer[-1] != check) if model == "UM34C" else (answer[-2:] != FIXED_END):
        raise ValueError("the answer's check does not hold")
    milliwatts: int = struct.unpack_from(">I", answer, POWER_AT)[0]
    return milliwatts / 1000.0
