"""dcmi: a server's own power reading through IPMI, by `ipmitool` or `ipmi-dcmi`; at most once a second.

[meter.bmc]
kind = "dcmi"
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from primetime.errors import PrimetimeError
from primetime.host.process import find_program, run
from primetime.instruments.power.base import TOTAL, WATTS, Meter, Place, PowerChannel, Reading, now

DEVICES = ("/dev/ipmi0", "/dev/ipmi/0", "/dev/ipmidev/0")
PROGRAMS = {
    "ipmitool": ["ipmitool", "dcmi", "power", "reading"],
    "ipmi-dcmi": ["ipmi-dcmi", "--get-system-power-statistics"],
}
LINE = re.compile(r"(?:Instantaneous power reading|Current Power)\s*:\s*(\d+)\s*Watts")


class Dcmi(Meter):
    """See the module."""

    kind = "dcmi"

    def unavailable(self) -> str:
        if not any(Path(device).exists() for device in DEVICES):
            return "no IPMI controller on this device"
        return "" if any(map(find_program, PROGRAMS)) else "neither ipmitool nor ipmi-dcmi is installed"

    def channels(self) -> tuple[PowerChannel, ...]:
        missing = "how the controller averages is not documented"
        return (PowerChannel(TOTAL, WATTS, Place.WALL, 1.0, 1.0, 0.0, missing),)

    def read(self) -> Sequence[Reading]:
        program = next((name for name in PROGRAMS if find_program(name)), "")
        if not program:
            raise OSError("neither ipmitool nor ipmi-dcmi is installed")
        try:
            said = run(PROGRAMS[program], timeout_s=5.0).stdout.decode("ascii", "replace")
        except PrimetimeError as error:
            raise OSError(error.message) from None
        return now({TOTAL: watts(said)})


def watts(text: str) -> float:
    """The reading in what either program prints; ValueError when it has none."""
    found = LINE.search(text)
    if found is None:
        raise ValueError("no power reading in the controller's answer")
    return float(found[1])
