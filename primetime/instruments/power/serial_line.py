"""A serial line on which a request gives an answer of known length."""

from __future__ import annotations

import os
import select
import termios
import time
import tty

from primetime.instruments.power.base import Meter
from primetime.model import Params


class SerialLine:
    """One device file, raw; its speed is whatever the driver has (USB and Bluetooth lines have none)."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.descriptor = -1

    def open(self) -> None:
        """Open it. OSError, also for what is no serial line."""
        self.descriptor = os.open(self.device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            tty.setraw(self.descriptor)
        except termios.error as error:
            self.close()
            raise OSError(f"{self.device} is not a serial line: {error}") from error

    def ask(self, request: bytes, length: int, limit_s: float) -> bytes:
        """Send a request and return `length` bytes; OSError when they do not come in time."""
        if self.descriptor < 0:
            raise OSError("the meter is not open")
        termios.tcflush(self.descriptor, termios.TCIFLUSH)  # what is left of an answer that came too late
        os.write(self.descriptor, request)
        found, deadline = b"", time.monotonic() + limit_s
        while len(found) < length:
            ready, _, _ = select.select([self.descriptor], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise OSError(f"the meter gave {len(found)} of {length} bytes")
            piece = os.read(self.descriptor, length - len(found))
            if not piece:
                raise OSError("the line is closed")
            found += piece
        return found

    def close(self) -> None:
        """Close it; harmless when it is not open."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


class SerialMeter(Meter):
    """A meter on a serial line, which its setting `device` names."""

    def __init__(self, name: str, given: Params) -> None:
        super().__init__(name, given)
        self.line = SerialLine(self.word("device"))

    def open(self) -> None:
        self.line.open()

    def close(self) -> None:
        self.line.close()
