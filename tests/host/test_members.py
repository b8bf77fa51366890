"""The members beside the first ones, for real: crun, qemu-microvm, iperf3, and a program of the user's own."""

from __future__ import annotations

import platform
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from primetime.campaign.device import BootStart
from primetime.campaign.linux_device import LinuxDevice, Opening
from primetime.campaign.opening import open_device
from primetime.campaign.study_file import load_study
from primetime.campaign.survey import FIRST_SIGN_S, try_environment
from primetime.environments import environment
from primetime.errors import BootFailed, CommandTimeout
from primetime.host.lock import device_lock
from primetime.host.undo import open_ledger
from primetime.images.guest import GuestImages
from primetime.model import Command, EnvironmentSpec, FileToPut, Step, Usable, Where
from primetime.workloads import workload
from tests.host.machine import Standing

NUMBER = 61500
LIMIT_S = 300.0
MICROVM = pytest.param(
    "qemu-microvm",
    marks=pytest.mark.skipif(platform.machine() != "x86_64", reason="QEMU has microvm for x86-64 only"),
)
KINDS = ["crun", MICROVM]
HEAD = """
[limits]
cpus = 1
memory = "320MiB"
[volume]
path = "{path}"
size = "96MiB"
[blocks]
min = 1
max = 1
[pace]
settle = "0s"
settle_limit = "0s"
"""
OWN = """
[environments.native]
[environments.runc]
[environments.qemu]
[[points]]
workload = "command"
name = "my-app"
argv = ["/data/app/client.py", "{peer}", "200"]
files = { "/data/app/client.py" = "client.py" }
server = ["python3", "/tmp/app/server.py"]
server_files = { "/tmp/app/server.py" = "server.py" }
metrics = [
    { name = "requests", unit = "1/s", direction = "higher", regex = '([0-9.]+) requests/s' },
    { name = "latency", unit = "s", direction = "lower", json = "$.latency.mean" },
]
[[points]]
workload = "command"
name = "silent"
argv = ["true"]
metric = { name = "found", unit = "1", direction = "higher", regex = '([0-9]+)' }
[[points]]
workload = "command"
name = "failing"
argv = ["sh", "-c", "echo not today >&2; exit 3"]
[[points]]
workload = "command"
name = "endless"
argv = ["sleep", "61.7"]
timeout = "1s"
"""
SERVER = """
import socketserver

class Answer(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(b"%d\\n" % len(line))

socketserver.ThreadingTCPServer(("0.0.0.0", 7007), Answer).serve_forever()
"""
CLIENT = """#!/usr/bin/python3
import json, socket, sys, time

host, count = sys.argv[1], int(sys.argv[2])
with socket.create_connection((host, 7007), 20) as connection, connection.makefile("rwb") as lines:
    start = time.monotonic()
    for number in range(count):
        lines.write(b"question %d\\n" % number)
        lines.flush()
        assert lines.readline()
    seconds = time.monotonic() - start
print(f"{count / seconds:.1f} requests/s")
print(json.dumps({"latency": {"mean": seconds / count}}))
"""


@pytest.fixture
def opened(tmp_path: Path, volume_path: Path, images: GuestImages) -> Iterator[LinuxDevice]:
    """A device for the two kinds."""
    path = tmp_path / "two.toml"
    points = '[environments.crun]\n[environments.qemu-microvm]\n[[points]]\nworkload = "iperf3"\nruntime = "1s"\n'
    path.write_text(HEAD.format(path=volume_path) + points)
    study = load_study(str(path))
    ledger = open_ledger()
    with device_lock("tests"):
        ledger.replay()
        environments = tuple(environment(spec) for spec in study.environments)
        with open_device(Opening(study, images, environments, ledger)) as device:
            yield device


@pytest.mark.parametrize("kind", KINDS)
def test_survey_finds_it_usable(kind: str, unchanged: Standing, opened: LinuxDevice) -> None:
    found = try_environment(
        opened, environment(EnvironmentSpec(kind, kind)), BootStart(NUMBER, first_sign_s=FIRST_SIGN_S)
    )
    assert found.state in (Usable.YES, Usable.CAVEAT), found.reason
    assert all(version[0].isdigit() for version in found.versions.values())


@pytest.mark.parametrize("kind", KINDS)
def test_boots_runs_measures_and_ends(kind: str, unchanged: Standing, opened: LinuxDevice) -> None:
    iperf3 = workload("iperf3")
    point = replace(opened.opening.study.points[0])
    recipe = iperf3.recipe(point, replace(opened.site, smoke=True))
    how = BootStart(NUMBER + 1, emulated=kind == "qemu-microvm")
    with (
        opened.boot(environment(EnvironmentSpec(kind, kind)), how) as instance,
        opened.serve_on_peer(recipe.servers[0]),
    ):
        facts = {fact.name: fact.value for fact in (*instance.prove_limits(), *instance.touch_memory())}
        assert facts["limits.cpus_inside"] == 1
        instance.put("/data/file", b"put")
        assert instance.get("/data/file") == b"put"
        padded = Command(("sh", "-c", 'printf "$PADDING$HOME"'), 60, env={"PADDING": "some"})
        assert instance.run(padded).stdout == b"some/root"
        with pytest.raises(CommandTimeout):
            instance.run(Command(("sleep", "61.6"), 1.0))
        assert b"sleep 61.6" not in instance.run(Command(("ps", "-eo", "args"), 60)).stdout
        outcome = instance.run(Command(recipe.run[0].argv, recipe.run[0].timeout_s))
        assert outcome.returncode == 0, iperf3.complaint(outcome.stdout, outcome.stderr)
        assert b'"sum_received"' in outcome.stdout
        assert opened.footprint_bytes(instance.footprint()) > 0


def test_a_server_that_ends_says_why(unchanged: Standing, opened: LinuxDevice) -> None:
    opened.put_on_peer(FileToPut(Where.PEER, "/tmp/deep/down/program", b"#!/bin/sh\necho no port >&2; exit 4\n", 0o755))
    server = Step(Where.PEER, ("/tmp/deep/down/program",), "server", 10)
    with pytest.raises(BootFailed, match="exit code 4: no port"), opened.serve_on_peer(server):
        pass


def test_an_own_program_is_measured(unchanged: Standing, tmp_path: Path, volume_path: Path) -> None:
    (tmp_path / "server.py").write_text(SERVER)
    (tmp_path / "client.py").write_text(CLIENT)
    (tmp_path / "client.py").chmod(0o755)
    (tmp_path / "own.toml").write_text(HEAD.format(path=volume_path) + OWN)
    campaign = tmp_path / "own.sqlite"
    argv = [sys.executable, "-m", "primetime", "run", str(tmp_path / "own.toml"), "-o", str(campaign)]
    ended = subprocess.run(argv, capture_output=True, timeout=LIMIT_S, check=False)
    assert ended.returncode == 1, ended.stderr.decode()  # some trials fail, as they should
    with sqlite3.connect(campaign) as sql:
        trials = sql.execute("SELECT environment, point, status, reason FROM trials").fetchall()
        values = sql.execute(
            "SELECT environment, metric, value FROM trials JOIN measurements USING (trial) "
            "WHERE point = 'my-app' AND metric IN ('requests', 'latency', 'cpu_per_million')"
        ).fetchall()
    by_point = {point: {(status, reason) for _, name, status, reason in trials if name == point} for point in
                ("my-app", "silent", "failing", "endless")}  # fmt: skip
    assert by_point["my-app"] == {("done", "")}
    assert {environment for environment, *_ in values} == {"native", "runc", "qemu"}
    assert len({(environment, metric) for environment, metric, _ in values}) == 9
    assert all(value > 0 for *_, value in values)
    assert by_point["silent"] == {("failed", "found: the output does not match '([0-9]+)'")}
    assert by_point["failing"] == {("failed", "sh ended with exit code 3: not today")}
    assert {status for status, _ in by_point["endless"]} == {"failed"}
