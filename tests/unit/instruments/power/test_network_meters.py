"""Meters on a network or a serial line, against peers here that speak the devices' documented bytes."""

from __future__ import annotations

import os
import pty
import socket
import struct
import threading
import time
import tty
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from primetime.instruments.power import meter
from primetime.instruments.power.base import Meter, PowerChannel, Reading, now
from primetime.instruments.power.recorder import Recorder
from primetime.model import MeterSpec

PATIENCE_S = 10.0
SHELLY_2 = (
    '{"id":0,"source":"init","output":true,"apower":4.7,"voltage":231.2,"current":0.041,'
    '"aenergy":{"total":12.345,"by_minute":[78.1,77.9,78.4],"minute_ts":1764067320}}'
)
SHELLY_1 = '{"relays":[{"ison":true}],"meters":[{"power":4.72,"is_valid":true,"timestamp":1764067320,"total":912}]}'
TASMOTA = '{"StatusSNS":{"Time":"2026-11-25T16:00:00","ENERGY":{"Total":0.512,"Power":5,"Voltage":230,"Current":0.04}}}'
REDFISH = '{"@odata.id":"/redfish/v1/Chassis/1/Power","PowerControl":[{"MemberId":"0","PowerConsumedWatts":38.0}]}'
ENVIRONMENT = '{"@odata.id":"/redfish/v1/Chassis/1/EnvironmentMetrics","PowerWatts":{"Reading":37.5}}'


@contextmanager
def web(answers: dict[str, str]) -> Iterator[str]:
    """Serve texts by path (404 for others) on 127.0.0.1; yields host:port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = answers.get(self.path)
            self.send_response(404 if body is None else 200)
            self.end_headers()
            self.wfile.write((body or "").encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("kind", "settings", "path", "text", "watts"),
    [
        ("shelly", {}, "/rpc/Switch.GetStatus?id=0", SHELLY_2, 4.7),
        ("shelly", {"component": "PM1"}, "/rpc/PM1.GetStatus?id=0", SHELLY_2, 4.7),
        ("shelly", {"generation": 1}, "/status", SHELLY_1, 4.72),
        ("tasmota", {}, "/cm?cmnd=Status%2010", TASMOTA, 5.0),
        ("tasmota", {}, "/cm?cmnd=Status%2010", TASMOTA.replace('"Power":5', '"Power":[5,1]'), 5.0),
        ("redfish", {}, "/redfish/v1/Chassis/1/Power", REDFISH, 38.0),
        ("redfish", {}, "/redfish/v1/Chassis/1/EnvironmentMetrics", ENVIRONMENT, 37.5),
    ],
)
def test_http_meters(kind: str, settings: dict[str, str | int], path: str, text: str, watts: float) -> None:
    answers = {path: text}
    with web(answers) as host:
        where = {"url": f"http://{host}"} if kind == "redfish" else {"host": host}
        made = meter(MeterSpec("m", kind, {**where, **settings}))
        assert made.read()[0].values == {"total": watts}
        for garbage in ("<html>busy</html>", "{}", text.replace(str(watts).removesuffix(".0"), '"n/a"')):
            answers[path] = garbage
            with pytest.raises((ValueError, OSError)):
                made.read()
    with pytest.raises(OSError, match=r"refused|timed out"):
        made.read()


def test_http_silence_is_an_error_and_not_a_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("primetime.instruments.power.http_json.LIMIT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        made = meter(MeterSpec("m", "shelly", {"host": f"127.0.0.1:{deaf.getsockname()[1]}"}))
        with pytest.raises(OSError, match="timed out"):
            made.read()


@contextmanager
def bench_meter(answer: Callable[[str], bytes], port: int = 0) -> Iterator[tuple[int, list[str]]]:
    """A SCPI socket: every line is noted, every question answered by `answer`, for any number of connections."""
    heard: list[str] = []
    server = socket.create_server(("127.0.0.1", port), reuse_port=True)
    server.settimeout(0.05)
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            try:
                connection, _ = server.accept()
            except TimeoutError:
                continue
            with connection, connection.makefile("rb") as lines:
                connection.settimeout(5.0)
                for line in lines:
                    heard.append(line.decode().strip())
                    if "?" in heard[-1]:
                        said = answer(heard[-1])
                        if not said:
                            break  # it hangs up
                        connection.sendall(said)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield server.getsockname()[1], heard
    finally:
        stop.set()
        thread.join()
        server.close()


@pytest.mark.parametrize("through", ["socket", "visa"])
def test_scpi_sets_the_ranges_and_asks(through: str) -> None:
    if through == "visa":
        pytest.importorskip("pyvisa_py", reason="pip install 'primetime[visa]'")
    with bench_meter(lambda question: b"4.7312E+00\n") as (port, heard):
        where = (
            {"host": "127.0.0.1", "port": port}
            if through == "socket"
            else {"visa": f"TCPIP::127.0.0.1::{port}::SOCKET"}
        )
        made = meter(MeterSpec("wt", "scpi", {**where, "setup": ":INPUT:VOLTAGE:RANGE 15V;:RATE 100MS"}))
        made.open()
        assert made.read()[0].values == {"total": 4.7312}
        made.close()
    assert heard == [":INPUT:VOLTAGE:RANGE 15V", ":RATE 100MS", ":NUMERIC:NORMAL:VALUE? 1"]


def test_scpi_integral_garbage_over_range_and_hang_up() -> None:
    said = [b"1.5E-03\n", b"NAN\n", b"9.91E+37\n", b"????\n", b""]
    with bench_meter(lambda question: said.pop(0)) as (port, _):
        made = meter(MeterSpec("wt", "scpi", {"host": "127.0.0.1", "port": port, "unit": "Wh"}))
        made.open()
        assert made.channels()[0].unit == "J"
        assert made.read()[0].values["total"] == pytest.approx(5.4)
        for _ in range(3):
            with pytest.raises(ValueError, match=r"over its range|could not convert"):
                made.read()
        with pytest.raises(OSError, match="closed"):
            made.read()
        made.close()


def um25c(milliwatts: int) -> bytes:
    """An answer as the UM25C gives it: model, 5.07 V in mV, 0.93 A in 0.1 mA, power in mW, the fixed end."""
    body = struct.pack(">HHHI", 0x09C9, 5070, 9300, milliwatts)
    return body + bytes(128 - len(body)) + b"\xff\xf1"


@contextmanager
def serial_peer(answers: list[bytes]) -> Iterator[str]:
    """A pty whose far end gives the next answer to each 0xf0, then stays silent."""
    ours, theirs = pty.openpty()
    tty.setraw(ours)

    def serve() -> None:
        while answers:
            try:
                asked = os.read(ours, 1)
            except OSError:
                return
            if asked == b"\xf0":
                os.write(ours, answers.pop(0))
            if not asked:
                return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield os.ttyname(theirs)
    finally:
        os.close(theirs)
        os.close(ours)


def test_um25c_on_a_serial_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("primetime.instruments.power.um25c.LIMIT_S", 0.2)
    damaged = um25c(4712)[:-2] + b"\x00\x00"
    with serial_peer([um25c(4712), damaged, b"garbage" * 20, um25c(4712)[:60], um25c(4800)]) as device:
        made = meter(MeterSpec("usb", "um25c", {"device": device}))
        made.open()
        assert made.read()[0].values == {"total": 4.712}
        with pytest.raises(ValueError, match="check does not hold"):
            made.read()
        with pytest.raises(ValueError, match="not an answer"):
            made.read()
        with pytest.raises(OSError, match="60 of 130"):
            made.read()
        assert made.read()[0].values == {"total": 4.8}
        with pytest.raises(OSError, match="0 of 130"):
            made.read()
        made.close()


def broker(server: socket.socket, payloads: list[bytes]) -> None:
    """Speak MQTT 3.1.1 to each client in turn: CONNACK, SUBACK, then one PUBLISH per payload; hang up after "bye"."""
    while payloads:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection:
            connection.settimeout(PATIENCE_S)
            packet(connection)
            connection.sendall(b"\x20\x02\x00\x00")
            subscribe = packet(connection)
            connection.sendall(b"\x90\x03" + subscribe[1][:2] + b"\x00")
            while payloads:
                payload = payloads.pop(0)
                if payload == b"bye":
                    break
                body = b"\x00\x04plug" + payload
                connection.sendall(b"\x30" + bytes([len(body)]) + body)
            else:
                packet(connection)  # its DISCONNECT


def packet(connection: socket.socket) -> tuple[int, bytes]:
    """One small MQTT packet: its type byte and its body."""
    head = connection.recv(2, socket.MSG_WAITALL)
    body = connection.recv(head[1], socket.MSG_WAITALL) if len(head) == 2 and head[1] else b""
    return (head[0] if head else 0, body)


def test_mqtt_takes_what_is_published_and_connects_again() -> None:
    pytest.importorskip("paho.mqtt.client", reason="pip install 'primetime[mqtt]'")
    with socket.create_server(("127.0.0.1", 0)) as server:
        payloads = [b'{"ENERGY":{"Power":4.5}}', b"{oops", b'{"ENERGY":{}}', b"bye", b'{"ENERGY":{"Power":5.5}}']
        thread = threading.Thread(target=broker, args=(server, payloads), daemon=True)
        thread.start()
        port = server.getsockname()[1]
        made = meter(
            MeterSpec(
                "plug", "mqtt", {"host": "127.0.0.1", "port": port, "topic": "plug", "field": "ENERGY.Power", "hz": 2.0}
            )
        )
        made.open()
        found: list[float] = []
        deadline = time.monotonic() + PATIENCE_S
        while len(found) < 2 and time.monotonic() < deadline:
            try:
                found += [one.values["total"] for one in made.read()]
            except (ValueError, OSError):
                continue
        made.close()
    thread.join(PATIENCE_S)
    assert found == [4.5, 5.5]


def test_csv_follows_a_log_that_grows_and_is_turned_over(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("time,W\n1764067320.0,99\n")
    made = meter(MeterSpec("lab", "csv", {"path": str(log), "clock": "unix"}))
    made.open()
    assert made.read() == []  # what was there before is not ours
    start = time.time()
    with log.open("a") as file:
        file.write(f"{start + 3.0:.3f},4.5\n{start + 3.1:.3f},ga")
    [first] = made.read()
    assert first.values == {"total": 4.5}
    assert first.t - time.monotonic() == pytest.approx(3.0, abs=0.5)  # a clock that is 3 s off stays 3 s off
    with log.open("a") as file:
        file.write("rbage\n")
    assert made.read() == []
    log.write_text(f"{1000 * (start + 4):.0f},4.6\n")  # turned over, and in milliseconds
    assert [one.values["total"] for one in made.read()] == [4.6]


def test_command_reads_lines_until_the_program_ends() -> None:
    made = meter(MeterSpec("own", "command", {"command": "printf '4.5\\nnoise\\n4.6 W\\n'", "clock": "arrival"}))
    made.open()
    found: list[float] = []
    problem = ""
    while not problem:
        try:
            found += [one.values["total"] for one in made.read()]
        except OSError as error:
            problem = str(error)
    assert problem == "the program has ended"
    made.close()
    assert found == [4.5, 4.6]


def test_command_is_given_time_to_start_and_then_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("primetime.instruments.power.command.WAIT_S", 0.01)
    made = meter(MeterSpec("own", "command", {"command": "sleep 60", "clock": "arrival"}))
    made.open()
    assert made.read() == ()
    monkeypatch.setattr("primetime.instruments.power.command.START_S", 0.0)
    made.close()
    made.open()
    with pytest.raises(OSError, match="prints nothing"):
        made.read()
    made.close()


class Flaky(Meter):
    """Gives 5 W, garbage, then silence; comes back when it is opened again."""

    kind = "flaky"

    def __init__(self) -> None:
        super().__init__("flaky", {})
        self.opened = self.asked = 0

    def channels(self) -> tuple[PowerChannel, ...]:
        return meter(MeterSpec("m", "mqtt", {"host": "h", "topic": "t", "hz": 100.0})).channels()

    def open(self) -> None:
        self.opened += 1

    def read(self) -> Sequence[Reading]:
        self.asked += 1
        if self.asked == 2:
            raise ValueError("garbage")
        if self.asked == 4:
            raise OSError("unplugged")
        return now({"total": 5.0})


def test_a_meter_that_fails_is_opened_again_and_the_rest_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("primetime.instruments.power.recorder.RETRY_S", 0.01)
    made = Flaky()
    with Recorder([made]) as recorder:
        deadline = time.monotonic() + PATIENCE_S
        while (made.asked < 8 or not recorder.load) and time.monotonic() < deadline:
            time.sleep(0.01)
    load, power = recorder.chunks()
    facts = {fact.name: fact.value for fact in recorder.facts()}
    assert made.opened == 2
    assert facts["power.flaky.errors"] == 2
    assert facts["power.flaky.problem"] == "OSError: unplugged"
    assert {row[0] for row in power.rows} == {5.0}
    assert power.clock == "power.flaky"
    assert list(power.t) == sorted(set(power.t))
    assert load.channels[0].cumulative
    assert load.t
