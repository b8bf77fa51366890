"""fnirsi: an FNB58, FNB48S, FNB48 or C1 USB meter of Fnirsi, at the USB port that it has for a computer.

    [meter.usb]
    kind = "fnirsi"
    device = ""                      # "": the first one that is plugged in; or /dev/hidraw0

The kernel's own hidraw serves, so no library is needed: read and write permission for /dev/hidrawN is. A report holds
four samples that are 10 ms apart (the meter smooths over 0.1 to 0.5 s); their mean is one reading.
"""

from __future__ import annotations

import os
import select
import struct
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from primetime.instruments.power.base import TOTAL, WATTS, Meter, Place, PowerChannel, Reading, Setting
from primetime.model import Params

CLASS = "/sys/class/hidraw"
FAST, ON_REQUEST = 1.0, 0.0  # s between requests; 0: one for every report
MODELS = {"2E3C:5558": FAST, "2E3C:0049": FAST, "0483:003A": ON_REQUEST, "0483:003B": ON_REQUEST}
REPORT, SAMPLES, SAMPLE = 64, 4, 15
START, DATA = 0xAA, 0x04
BEGIN, ACCEPT, GO_ON = 0x81, 0x82, 0x83
STEP, STEP_S, LIMIT_S = 1e-5, 0.01, 2.0  # V and A; between samples; of silence
POLYNOMIAL, INITIAL = 0x39, 0x42


class Fnirsi(Meter):
    """See the module."""

    kind = "fnirsi"
    settings = (
        Setting("device", "", 'its hidraw device, or "" for the first one that is plugged in'),
        Setting("root", CLASS, "where hidraw devices are listed"),
    )

    def __init__(self, name: str, given: Params) -> None:
        super().__init__(name, given)
        self.descriptor = -1
        self.every_s = FAST
        self.asked_at = 0.0

    def unavailable(self) -> str:
        try:
            self.find()
        except OSError as error:
            return str(error)
        return ""

    def channels(self) -> tuple[PowerChannel, ...]:
        missing = "the power supply's loss; its own drop is on the supply's side"
        return (PowerChannel(TOTAL, WATTS, Place.SUPPLY, 1e-4, 25.0, 0.005, missing),)

    def open(self) -> None:
        path, self.every_s = self.find()
        self.descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        for code in (BEGIN, ACCEPT, ACCEPT if self.every_s else GO_ON):
            self.ask(code)

    def find(self) -> tuple[str, float]:
        """The device file, and how often this model wants to be asked. OSError when none is plugged in."""
        wanted = Path(self.word("device"))
        for listed in sorted(Path(self.word("root")).glob("hidraw*")):
            every_s = MODELS.get(usb_id((listed / "device/uevent").read_text(encoding="utf-8", errors="replace")))
            if every_s is not None and (not self.word("device") or wanted.name == listed.name):
                return self.word("device") or f"/dev/{listed.name}", every_s
        if self.word("device"):
            return self.word("device"), FAST  # the user knows
        raise OSError("no meter of Fnirsi is plugged in")

    def ask(self, code: int) -> None:
        """Send one request, behind the number of the report: 0, there is only one."""
        os.write(self.descriptor, bytes(1) + request(code))
        self.asked_at = time.monotonic()

    def read(self) -> Sequence[Reading]:
        """All reports that have come. A damaged one costs only itself."""
        if self.descriptor < 0:
            raise OSError("the meter is not open")
        if time.monotonic() - self.asked_at >= self.every_s:
            self.ask(GO_ON)
        if not select.select([self.descriptor], [], [], LIMIT_S)[0]:
            raise OSError("the meter sends nothing")
        found, problem = [], None
        while select.select([self.descriptor], [], [], 0)[0]:
            report = os.read(self.descriptor, REPORT)
            if not report:
                raise OSError("the meter is unplugged")
            try:
                watts = parse(report)
            except ValueError as error:
                problem = error
                continue
            if watts is not None:
                found.append(Reading(time.monotonic() - STEP_S * (SAMPLES - 1) / 2, {TOTAL: watts}))
        if problem is not None and not found:
            raise problem
        return found

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def usb_id(uevent: str) -> str:
    """ "2E3C:5558" of a HID device's uevent; "" where it says nothing."""
    said = next((line for line in uevent.splitlines() if line.startswith("HID_ID=")), "")
    parts = said.removeprefix("HID_ID=").upper().split(":")
    return f"{parts[1][-4:]}:{parts[2][-4:]}" if len(parts) == 3 else ""


def request(code: int) -> bytes:
    """A request: 64 bytes with their check."""
    body = bytes((START, code)) + bytes(REPORT - 3)
    return body + bytes((check(body[1:]),))


def parse(report: bytes) -> float | None:
    """The mean power of a report in W; None for a report of another kind, ValueError for a damaged one."""
    if len(report) != REPORT or report[0] != START:
        raise ValueError("not a report of these meters")
    if report[1] != DATA:
        return None
    if check(report[1:-1]) != report[-1]:
        raise ValueError("the report's check does not hold")
    pairs = [struct.unpack_from("<II", report, 2 + SAMPLE * index) for index in range(SAMPLES)]
    return fmean(volts * STEP * amperes * STEP for volts, amperes in pairs)


def check(content: bytes) -> int:
    """CRC-8 with the meters' own polynomial and start, as public drivers found them."""
    found = INITIAL
    for byte in content:
        found ^= byte
        for _ in range(8):
            found = (found << 1 ^ POLYNOMIAL) & 0xFF if found & 0x80 else found << 1 & 0xFF
    return found
