"""Meters on a computer's USB port: their documented bytes from a pty, and a Joulescope's library in its place."""

from __future__ import annotations

import os
import pty
import struct
import sys
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

from primetime.errors import UserError
from primetime.instruments.power import meter
from primetime.instruments.power.fnirsi import DATA, INITIAL, Fnirsi, check, parse, request, usb_id
from primetime.instruments.power.joulescope import energy
from primetime.instruments.power.tc66c import KEY, decrypted, modbus_check
from primetime.instruments.power.tc66c import parse as parse_tc66c
from primetime.model import MeterSpec

Answer = Callable[[bytes], bytes]


@contextmanager
def far_end(length: int, answer: Answer) -> Iterator[str]:
    """A pty whose far end reads requests of `length` bytes and writes what `answer` gives for each."""
    ours, theirs = pty.openpty()
    tty.setraw(ours)
    tty.setraw(theirs)

    def serve() -> None:
        asked = b""
        while True:
            try:
                asked += os.read(ours, length - len(asked))
            except OSError:
                return
            if len(asked) == length:
                os.write(ours, answer(asked))
                asked = b""

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield os.ttyname(theirs)
    finally:
        os.close(theirs)
        os.close(ours)


def block(mark: bytes, body: bytes = b"") -> bytes:
    """64 bytes: mark, body, check."""
    content = mark + body + bytes(60 - len(mark) - len(body))
    return content + modbus_check(content).to_bytes(4, "little")


def tc66c(steps: int) -> bytes:
    """The plain bytes of an answer: product, version, serial number, runs, 5.07 V, 0.93 A, power in 0.1 mW."""
    first = b"TC66" + b"1.18" + struct.pack("<I", 4711) + bytes(28) + struct.pack("<IIII", 3, 50700, 93000, steps)
    return block(b"pac1", first) + block(b"pac2") + block(b"pac3")


def test_tc66c_power_and_what_is_no_answer() -> None:
    good = tc66c(47151)
    assert parse_tc66c(good) == pytest.approx(4.7151)
    for damaged in (good[:56] + b"\xff" + good[57:], good.replace(b"TC66", b"UM66")):
        with pytest.raises(ValueError, match="check does not hold"):
            parse_tc66c(damaged)
    for foreign in (b"", good[:191], bytes(192), good.replace(b"pac2", b"pac1"), bytes(range(192))):
        with pytest.raises(ValueError, match="not an answer"):
            parse_tc66c(foreign)


def test_tc66c_checks_itself_as_modbus_does() -> None:
    assert modbus_check(b"123456789") == 0x4B37  # the check value of CRC-16/MODBUS


def test_tc66c_on_a_serial_line(monkeypatch: pytest.MonkeyPatch) -> None:
    ciphers = pytest.importorskip("cryptography.hazmat.primitives.ciphers", reason="pip install 'primetime[tc66c]'")
    monkeypatch.setattr("primetime.instruments.power.tc66c.LIMIT_S", 0.2)

    def encrypted(plain: bytes) -> bytes:
        encryptor = ciphers.Cipher(ciphers.algorithms.AES(KEY), ciphers.modes.ECB()).encryptor()
        said: bytes = encryptor.update(plain) + encryptor.finalize()
        return said

    assert decrypted(encrypted(tc66c(1))) == tc66c(1)
    answers = [encrypted(tc66c(47151)), bytes(192), encrypted(tc66c(48000))[:100], encrypted(tc66c(48000))]
    with far_end(5, lambda asked: answers.pop(0) if asked == b"getva" else b"") as device:
        made = meter(MeterSpec("usb", "tc66c", {"device": device}))
        made.open()
        assert made.read()[0].values["total"] == pytest.approx(4.7151)
        with pytest.raises(ValueError, match="not an answer"):
            made.read()
        with pytest.raises(OSError, match="100 of 192"):
            made.read()
        assert made.read()[0].values["total"] == pytest.approx(4.8)
        made.close()


def test_a_library_that_is_missing_is_named_with_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "joulescope", None)
    with pytest.raises(UserError, match="this meter needs joulescope") as caught:
        meter(MeterSpec("js", "joulescope", {})).open()
    assert caught.value.hint == "pip install 'primetime[joulescope]'"


def report(*samples: tuple[int, int], kind: int = DATA) -> bytes:
    """A report of an FNB58: four samples of volts and amperes in 10 µ, D+, D-, one unknown, temperature; the check."""
    body = bytes((kind,)) + b"".join(struct.pack("<IIHHBH", v, a, 2800, 2700, 1, 270) for v, a in samples)
    body += bytes(62 - len(body))
    return b"\xaa" + body + bytes((check(body),))


def test_fnirsi_requests_are_those_of_public_drivers() -> None:
    assert [request(code)[-1] for code in (0x81, 0x82, 0x83)] == [0x8E, 0x96, 0x9E]
    assert request(0x81) == b"\xaa\x81" + bytes(61) + b"\x8e"
    assert (check(b"123456789"), check(b"")) == (0x4B, INITIAL)


def test_fnirsi_power_is_the_mean_of_four_samples_and_garbage_is_none() -> None:
    good = report((507000, 93000), (507000, 93000), (507000, 0), (507000, 0))
    assert parse(good) == pytest.approx(5.07 * 0.93 / 2)
    assert parse(report((0, 0), kind=0x03)) is None
    with pytest.raises(ValueError, match="check does not hold"):
        parse(good[:5] + b"\xff" + good[6:])
    for foreign in (b"", good[:63], bytes(64)):
        with pytest.raises(ValueError, match="not a report"):
            parse(foreign)


def test_fnirsi_is_found_by_its_usb_numbers(tmp_path: Path) -> None:
    for name, text in {
        "hidraw0": "HID_ID=0003:0000046D:0000C31C\nHID_NAME=keyboard\n",
        "hidraw1": "DRIVER=hid-generic\nHID_ID=0003:00000483:0000003A\n",
        "hidraw2": "HID_ID=0003:00002E3C:00005558\n",
    }.items():
        (tmp_path / name / "device").mkdir(parents=True)
        (tmp_path / name / "device/uevent").write_text(text)
    assert Fnirsi("usb", {"root": str(tmp_path)}).find() == ("/dev/hidraw1", 0.0)
    assert Fnirsi("usb", {"root": str(tmp_path), "device": "/dev/hidraw2"}).find() == ("/dev/hidraw2", 1.0)
    assert usb_id("nothing") == ""
    with pytest.raises(OSError, match="no meter of Fnirsi is plugged in"):
        meter(MeterSpec("usb", "fnirsi", {"root": str(tmp_path / "none")})).open()


def test_fnirsi_reports_come_as_they_are_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("primetime.instruments.power.fnirsi.LIMIT_S", 0.2)
    heard: list[bytes] = []
    good = report(*[(500000, 100000)] * 4)
    answers = [b"", b"", good, good[:10] + b"\x99" + good[11:], b""]

    def answer(asked: bytes) -> bytes:
        heard.append(asked)
        return answers.pop(0) if answers else b""

    with far_end(65, answer) as device:
        made = meter(MeterSpec("usb", "fnirsi", {"device": device, "root": str(tmp_path)}))
        made.open()
        assert made.read()[0].values["total"] == pytest.approx(5.0)
        monkeypatch.setattr("primetime.instruments.power.fnirsi.FAST", 0.0)
        made.close()
        made.open()
        with pytest.raises((ValueError, OSError)):
            made.read()
        made.close()
    assert heard[:3] == [b"\0" + request(code) for code in (0x81, 0x82, 0x82)]


def statistics(joules: float) -> dict[str, object]:
    """A message as the library's documentation shows it."""
    return {
        "time": {"range": {"value": [0.0, 0.1], "units": "s"}},
        "signals": {"power": {"µ": {"value": 4.7, "units": "W"}}},
        "accumulators": {"charge": {"value": 1.0, "units": "C"}, "energy": {"value": joules, "units": "J"}},
    }


def test_joulescope_energy_and_what_is_no_message() -> None:
    assert energy(statistics(12.5)) == 12.5
    for garbage in ({}, {"accumulators": {"energy": {"value": "x", "units": "J"}}}, statistics(float("nan"))):
        with pytest.raises(ValueError, match=r"not a Joulescope's statistics|its energy is"):
            energy(garbage)
    with pytest.raises(ValueError, match=r"its energy is 1\.0 C"):
        energy({"accumulators": {"energy": {"value": 1.0, "units": "C"}}})


class Instrument:
    """What the library gives for one instrument: half a joule with every opening; its settings are remembered."""

    def __init__(self) -> None:
        self.settings: dict[str, str] = {}
        self.callback: Callable[[dict[str, object]], None] = lambda said: None

    def parameter_set(self, name: str, value: str) -> None:
        self.settings[name] = value

    def statistics_callback_register(self, callback: Callable[[dict[str, object]], None], source: str) -> None:
        self.callback = callback

    def open(self) -> None:
        self.callback(statistics(0.25))
        self.callback(statistics(0.5))

    def close(self) -> None:
        self.callback = lambda said: None


def test_joulescope_counts_on_when_it_is_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    instrument, library = Instrument(), ModuleType("joulescope")
    monkeypatch.setattr(library, "scan_require_one", lambda name, config: instrument, raising=False)
    monkeypatch.setitem(sys.modules, "joulescope", library)
    monkeypatch.setattr("primetime.instruments.power.joulescope.SILENT_S", 0.05)
    made = meter(MeterSpec("js", "joulescope", {"hz": 20}))
    assert (made.channels()[0].unit, made.channels()[0].hz) == ("J", 20.0)
    for expected in ([0.25, 0.5], [0.75, 1.0]):
        made.open()
        assert [one.values["total"] for one in made.read()] == expected
        with pytest.raises(OSError, match="sends nothing"):
            made.read()
        made.close()
    assert instrument.settings == {"reduction_frequency": "20 Hz", "i_range": "10 A", "v_range": "15V"}
    with pytest.raises(UserError, match="hz is one of 1, 2, 5"):
        meter(MeterSpec("js", "joulescope", {"hz": 3}))
