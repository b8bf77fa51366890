"""tc66c: a RuiDeng TC66 or TC66C USB-C meter, over its USB serial line.

    [meter.usb]
    kind = "tc66c"                   # pip install 'primetime[tc66c]'
    device = "/dev/ttyACM0"

The request `getva` gives three blocks of 64 bytes, encrypted by AES in ECB mode with a key that is the same in all of
these meters and public (sigrok's wiki, RDTech TC66C). A reading takes about 0.1 s.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from primetime.instruments.power.base import TOTAL, WATTS, Place, PowerChannel, Reading, Setting, needs, now
from primetime.instruments.power.serial_line import SerialMeter

REQUEST, LENGTH, LIMIT_S = b"getva", 192, 1.0
KEY = bytes.fromhex("5821fa5601b2f02687ff1204622a4fb086f40260816f9a0ba7f106619ab87288")
BLOCK, CHECK_AT = 64, 60  # the last four bytes of a block hold its check
MARKS = (b"pac1", b"pac2", b"pac3")
PRODUCT, POWER_AT, STEP_W = b"TC66", 56, 1e-4  # behind the mark; little-endian, 32 bits


class Tc66c(SerialMeter):
    """See the module."""

    kind = "tc66c"
    settings = (Setting("device", "", "its serial line, e.g. /dev/ttyACM0", required=True),)

    def channels(self) -> tuple[PowerChannel, ...]:
        missing = "the power supply's loss; its own drop is on the supply's side"
        return (PowerChannel(TOTAL, WATTS, Place.SUPPLY, STEP_W, 8.0, 0.002, missing),)

    def open(self) -> None:
        needs("cryptography.hazmat.primitives.ciphers", "tc66c")
        super().open()

    def read(self) -> Sequence[Reading]:
        return now({TOTAL: parse(decrypted(self.line.ask(REQUEST, LENGTH, LIMIT_S)))})


def decrypted(answer: bytes) -> bytes:
    """An answer's plain bytes."""
    ciphers = needs("cryptography.hazmat.primitives.ciphers", "tc66c")
    decryptor = ciphers.Cipher(ciphers.algorithms.AES(KEY), ciphers.modes.ECB()).decryptor()
    plain: bytes = decryptor.update(answer) + decryptor.finalize()
    return plain


def parse(plain: bytes) -> float:
    """Watts of three plain blocks; ValueError for what is no answer of these meters."""
    blocks = [plain[at : at + BLOCK] for at in range(0, LENGTH, BLOCK)]
    if len(plain) != LENGTH or any(not block.startswith(mark) for block, mark in zip(blocks, MARKS, strict=True)):
        raise ValueError("not an answer of a TC66")
    first = blocks[0]
    if int.from_bytes(first[CHECK_AT:], "little") != modbus_check(first[:CHECK_AT]) or first[4:8] != PRODUCT:
        raise ValueError("the answer's check does not hold")
    steps: int = struct.unpack_from("<I", first, POWER_AT)[0]
    return steps * STEP_W


def modbus_check(content: bytes) -> int:
    """CRC-16/MODBUS."""
    check = 0xFFFF
    for byte in content:
        check ^= byte
        for _ in range(8):
            check = check >> 1 ^ 0xA001 if check & 1 else check >> 1
    return check
