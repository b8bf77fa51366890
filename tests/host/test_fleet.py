"""A fleet whose one board is this machine, over a real ssh: nothing is lost, nothing is measured twice."""

from __future__ import annotations

import json
import os
import platform
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from primetime.campaign.job import Job
from primetime.errors import CommandFailed, Unreachable, UserError
from primetime.fleet.assignment import latest, remember
from primetime.fleet.board import HOME, Board, open_board, python
from primetime.fleet.carry_out import Attending, carry_out
from primetime.fleet.fleet_file import load_fleet
from primetime.fleet.pause import Pause
from primetime.fleet.push import clear_parts, part_of, push_entry, push_file
from primetime.fleet.ssh import Ssh
from primetime.host.ledger import Act
from primetime.host.lock import device_lock
from primetime.host.undo import open_ledger
from primetime.images.guest import GuestImages
from tests.host import sshd
from tests.host.finished import done_trials, trials
from tests.host.machine import standing

pytestmark = pytest.mark.skipif(bool(sshd.missing()), reason=sshd.missing() or "-")
LIMIT_S = 240.0
STUDY = """
title = "given to a fleet"
quick = true
[limits]
cpus = 1
memory = "256MiB"
[volume]
size = "96MiB"
[environments.native]
[[points]]
workload = "fio"
rw = ["randread", "randwrite"]
bs = "4KiB"
size = "8MiB"
runtime = "1s"
[blocks]
min = 2
max = 2
[network]
peer = ""
[pace]
settle = "0s"
settle_limit = "0s"
"""
CELLS = 2 * 2
PAUSE = 0.05
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}  # this tree, wherever it is run from


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> sshd.Server:
    return sshd.prepared(tmp_path_factory.mktemp("sshd"))


@pytest.fixture
def served(server: sshd.Server) -> Iterator[sshd.Server]:
    with sshd.serving(server):
        yield server


@pytest.fixture
def here(tmp_path: Path, server: sshd.Server, volume_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A controller's directory, with a fleet of one; what its campaigns left on the board is removed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fleet.toml").write_text(server.table("self", volume_path))
    (tmp_path / "tiny.toml").write_text(STUDY)
    yield tmp_path
    for record in tmp_path.glob("runs/fleet/self/*.json"):
        for left in Path(HOME).glob(f"{record.stem}.sqlite*"):
            left.unlink()


@pytest.fixture
def idle() -> None:
    """Wait for a run that a test killed the controller of, or for somebody else's, to end here."""
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        with suppress(UserError), device_lock("tests"):
            return
        time.sleep(PAUSE)
    pytest.fail("this device is measuring all the time")


def fleet(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "primetime", "fleet", *arguments]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        fleet(*arguments), capture_output=True, text=True, timeout=LIMIT_S, check=False, env=ENVIRONMENT
    )


def board_campaign(here: Path) -> Path | None:
    """The campaign on the board."""
    records = list(here.glob("runs/fleet/self/*.json"))
    path = Path(HOME, f"{records[0].stem}.sqlite") if records else None
    return path if path and path.exists() else None


def wait_for_trials(here: Path, count: int, controller: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while len(trials(board_campaign(here))) < count:
        assert time.monotonic() < deadline, "the campaign does not get on"
        if controller.poll() is not None:
            pytest.fail(f"the controller ended: {controller.communicate()}")
        time.sleep(PAUSE)


def started(here: Path) -> subprocess.Popen[str]:
    argv = fleet("run", "--study", "tiny.toml")
    pipe = subprocess.PIPE
    return subprocess.Popen(argv, cwd=here, stdout=pipe, stderr=pipe, text=True, env=ENVIRONMENT)


def job_pid(campaign: Path) -> int:
    return int(json.loads(campaign.with_name(f"{campaign.name}.job").read_text())["pid"])


def check_whole(here: Path, survived: list[tuple[object, ...]]) -> None:
    """Every cell is here once, and what had been measured before the cut is among them as it was."""
    [local] = here.glob("runs/self-tiny-*.sqlite")
    after = done_trials(local)
    assert [row for row in after if row in survived] == survived
    cells = [row[:3] for row in trials(local)]
    assert len(cells) == len(set(cells)) == CELLS
    with sqlite3.connect(local) as sql:
        assert sql.execute("SELECT state, device FROM campaign").fetchone() == ("stopped: blocks", "self")


def test_an_unknown_host_key_is_refused_with_the_command_that_accepts_it(served: sshd.Server, here: Path) -> None:
    [device] = load_fleet(here / "fleet.toml")
    (here / "nobody").touch()
    stranger = replace(device, known_hosts=str(here / "nobody"))
    with pytest.raises(UserError, match=r"host key .* is not known") as caught, open_board(stranger, Pause()):
        pass
    assert f"-p {served.port}" in caught.value.hint
    assert str(here / "nobody") in caught.value.hint


def test_another_host_key_is_refused(served: sshd.Server, here: Path) -> None:
    [device] = load_fleet(here / "fleet.toml")
    kind, key = (served.directory / "client_key.pub").read_text().split()[:2]  # some other key
    (here / "other").write_text(f"[127.0.0.1]:{served.port} {kind} {key}\n")
    with (
        pytest.raises(UserError, match="another machine answers"),
        open_board(replace(device, known_hosts=str(here / "other")), Pause()),
    ):
        pass


def test_a_key_that_is_not_let_in(served: sshd.Server, here: Path) -> None:
    [device] = load_fleet(here / "fleet.toml")
    wrong = replace(device, identity=str(served.directory / "host_key"))
    with pytest.raises(UserError, match="does not let us in"), open_board(wrong, Pause()):
        pass


def test_nobody_there(server: sshd.Server, here: Path) -> None:
    [device] = load_fleet(here / "fleet.toml")
    with pytest.raises(Unreachable, match=r"self does not answer: .*refused"), open_board(device, Pause()):
        pass


def test_files_are_pushed_by_hash_whole_or_not_at_all(served: sshd.Server, here: Path, tmp_path: Path) -> None:
    [device] = load_fleet(here / "fleet.toml")
    file, there = tmp_path / "file", PurePosixPath(tmp_path / "it's there")
    file.write_bytes(os.urandom(3_000_000))
    entry = tmp_path / "entry"
    (entry / "tree").mkdir(parents=True)
    (entry / "tree" / "link").symlink_to("nowhere")
    (entry / "about.json").write_text("{}")
    far = PurePosixPath(tmp_path / "cache" / "entry")
    Path(far).parent.mkdir()
    with Ssh(device).connected() as ssh:
        assert push_file(ssh, (), file, there)
        assert not push_file(ssh, (), file, there)
        Path(there).write_bytes(b"damaged")
        assert push_file(ssh, (), file, there)
        assert push_entry(ssh, (), entry, far)
        assert not push_entry(ssh, (), entry, far)
        (entry / "about.json").write_text('{"new": 1}')
        assert push_entry(ssh, (), entry, far)
        (far_away := Path(part_of(far))).mkdir()  # of a push that was killed
        (far_away / "half").touch()
        clear_parts(ssh, (), (far.parent, there.parent))
    assert Path(there).read_bytes() == file.read_bytes()
    assert (Path(far) / "tree" / "link").readlink() == Path("nowhere")
    assert sorted(path.name for path in Path(far).parent.iterdir()) == ["entry"]


def test_a_push_ends_with_its_controller(served: sshd.Server, here: Path) -> None:
    """However that ends: else it goes on beside the next one."""
    code = (
        "import os, signal, sys, threading; from pathlib import Path\n"
        "from primetime.fleet.fleet_file import load_fleet\nfrom primetime.fleet.ssh import Ssh\n"
        "threading.Timer(2.0, os.kill, (os.getpid(), signal.SIGKILL)).start()\n"
        "Ssh(load_fleet(Path('fleet.toml'))[0]).send(['cat', '/dev/zero'], ['dd', 'of=/dev/null'], 600.0)\n"
    )
    leaves_no_connection(code, served, here)


def test_a_command_that_fails_there_says_why(served: sshd.Server, here: Path) -> None:
    [device] = load_fleet(here / "fleet.toml")
    with pytest.raises(CommandFailed, match="no-such-file"):
        Ssh(device).run(["cat", "/no-such-file"])


def test_the_connection_cannot_outlive_its_controller(served: sshd.Server, here: Path) -> None:
    """A killed controller must leave nothing that talks to the board."""
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from primetime.fleet.fleet_file import load_fleet\nfrom primetime.fleet.ssh import Ssh\n"
        "with Ssh(load_fleet(Path('fleet.toml'))[0]).connected() as ssh:\n"
        "    ssh.run(['true'])\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    leaves_no_connection(code, served, here)


def leaves_no_connection(code: str, served: sshd.Server, here: Path) -> None:
    """Run a controller that kills itself, and see its connections end."""
    before = connections(served)
    subprocess.run([sys.executable, "-c", code], cwd=here, env=ENVIRONMENT, timeout=60, check=False)
    deadline = time.monotonic() + 20
    while connections(served) != before and time.monotonic() < deadline:
        time.sleep(PAUSE)
    assert connections(served) == before


def connections(server: sshd.Server) -> int:
    """Established connections to the server's port."""
    port = f"{server.port:04X}"
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(line.split()[1].endswith(f":{port}") and line.split()[3] == "01" for line in lines)


def test_a_board_without_python_gets_the_userlands(
    served: sshd.Server, here: Path, images: GuestImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    [device] = load_fleet(here / "fleet.toml")
    monkeypatch.setattr("primetime.fleet.board.OWN_PYTHON", "python-of-nobody")
    with Ssh(device).connected() as ssh:
        board = Board(ssh, (), platform.machine())
        argv = python(board, images.userland)
        said = board.ssh.run([*argv, "-I", "-S", "-c", "import sys; print(sys.version_info[:2], sys.prefix)"])
    assert argv[0].startswith("/var/cache/primetime/userland-")
    assert "ld-linux" in argv[0]
    assert said.stdout.decode().strip() == f"(3, 13) {images.userland}/usr"


def test_a_campaign_comes_home_and_is_reported(served: sshd.Server, here: Path, idle: None) -> None:
    before = standing()
    ran = run("run", "--study", "tiny.toml", "--json")
    assert ran.returncode == 0, ran.stderr
    assert list(json.loads(ran.stdout)) == ["self"]
    check_whole(here, [])
    visits = [line for line in ran.stderr.splitlines() if "next visit in" in line]
    assert len(visits) >= 2, ran.stderr
    again = run("resume", "--json")
    assert (again.returncode, json.loads(again.stdout)) == (0, json.loads(ran.stdout)), "what is finished stays"
    told = run("report", "--json")
    assert told.returncode == 0, told.stderr
    assert standing() == before


@pytest.mark.parametrize(("number", "code", "words"), [(signal.SIGKILL, -9, ""), (signal.SIGTERM, 130, "fleet resume")])
def test_a_controller_that_is_ended_loses_nothing(
    number: signal.Signals, code: int, words: str, served: sshd.Server, here: Path, idle: None
) -> None:
    controller = started(here)
    wait_for_trials(here, 1, controller)
    controller.send_signal(number)
    _, said = controller.communicate()
    assert controller.returncode == code, said
    assert words in said
    survived = done_trials(board_campaign(here))
    busy = run("run", "--study", "tiny.toml")
    assert (busy.returncode, "not finished" in busy.stderr) == (2, True), busy.stderr
    resumed = run("resume")
    assert resumed.returncode == 0, resumed.stderr
    check_whole(here, survived)


def test_a_lost_connection_and_a_dead_run_lose_nothing(server: sshd.Server, here: Path, idle: None) -> None:
    with sshd.serving(server):
        controller = started(here)
        wait_for_trials(here, 1, controller)
    campaign = board_campaign(here)
    assert campaign is not None
    os.kill(job_pid(campaign), signal.SIGKILL)  # as a reboot would
    survived = done_trials(campaign)
    with sshd.serving(server):
        _, said = controller.communicate(timeout=LIMIT_S)
    assert controller.returncode == 0, said
    assert "going on" in said
    check_whole(here, survived)


def test_a_board_that_measures_for_somebody_else_is_left_alone(served: sshd.Server, here: Path, idle: None) -> None:
    controller = started(here)
    wait_for_trials(here, 1, controller)
    [device] = load_fleet(here / "fleet.toml")
    with pytest.raises(UserError, match="a primetime is measuring on it"), open_board(device, Pause()):
        pass
    second = run("resume")
    assert second.returncode == 2
    assert "this device is busy" in second.stderr
    _, said = controller.communicate(timeout=LIMIT_S)
    assert controller.returncode == 0, said


def test_carry_out_is_idempotent(served: sshd.Server, here: Path, idle: None) -> None:
    ran = run("run", "--study", "tiny.toml")
    assert ran.returncode == 0, ran.stderr
    [device] = load_fleet(here / "fleet.toml")
    [given] = latest(["self"], "tiny")
    before = given.campaign.read_bytes()
    given.campaign.unlink()
    said: list[str] = []
    path = carry_out(device, given, Attending(said.append, Pause()))
    assert path.read_bytes() == before
    assert not any("started" in words for words in said), said
    assert carry_out(device, replace(given, command=(), finished=False), Attending(said.append, Pause())) == path
    assert not any("started" in words for words in said), "what the caller remembers may be old"


def test_a_campaign_that_left_something_on_the_board_is_not_finished(
    served: sshd.Server, here: Path, idle: None, tmp_path: Path
) -> None:
    """Its taking-down failed: it is started again, which puts right what is left and measures nothing."""
    assert run("run", "--study", "tiny.toml").returncode == 0
    [device] = load_fleet(here / "fleet.toml")
    [given] = latest(["self"], "tiny")
    before = done_trials(given.campaign)
    left = tmp_path / "left"
    left.mkdir()
    open_ledger().record(Act("tree", {"path": str(left)}))
    Job(Path(HOME, f"{given.name}.sqlite")).note(1, left=1)
    given = remember(replace(given, finished=False))
    said: list[str] = []
    carry_out(device, given, Attending(said.append, Pause()))
    assert any(words.startswith("going on") for words in said), said
    assert not left.exists()
    assert not open_ledger().entries()
    assert done_trials(given.campaign) == before


def test_a_finished_campaign_that_is_nowhere_is_no_endless_loop(served: sshd.Server, here: Path, idle: None) -> None:
    """Its copy here is gone, and on the board it cannot be read."""
    assert run("run", "--study", "tiny.toml").returncode == 0
    [given] = latest(["self"], "tiny")
    given.campaign.unlink()
    Path(HOME, f"{given.name}.sqlite").write_bytes(b"no campaign any more")
    resumed = run("resume")
    assert resumed.returncode == 1
    assert "is finished, but not here, and cannot be had from the board" in resumed.stderr
    assert "Traceback" not in resumed.stderr


METERED = """
[[points]]
workload = "ladder"
level = [0, 50, 100]
duration = "1s"
"""
METER = """
import sys, time
busy = lambda: sum(map(int, open("/proc/stat").readline().split()[1:4]))
before, then = busy(), time.monotonic()
while True:
    time.sleep(0.1)
    now, used = time.monotonic(), busy()
    print(f"{3.0 + 0.01 * (used - before) / (now - then):.4f}", flush=True)
    before, then = used, now
"""


def with_meter(here: Path) -> None:
    """Give the board a meter of this controller whose watts follow the board's own CPU, and a study with a ladder."""
    program = here / "meter.py"
    program.write_text(METER)
    fleet_file = here / "fleet.toml"
    command = f"{sys.executable} {program}"
    fleet_file.write_text(
        f'{fleet_file.read_text()}meter = "lab"\n[meters.lab]\nkind = "command"\ncommand = "{command}"\n'
        'clock = "arrival"\nhz = 10.0\nresolution = 0.0001\n'
    )
    study = STUDY[: STUDY.index("[[points]]")] + METERED + STUDY[STUDY.index("[blocks]") :]
    study = re.sub(r"(min|max) = \d+", r"\1 = 1", study)
    (here / "metered.toml").write_text(f'{study}[power]\npulse = "2s"\nidle = "33s"\n')


@pytest.mark.slow
def test_the_controllers_meter_is_in_the_campaign_as_the_boards_own_would_be(
    served: sshd.Server, here: Path, idle: None
) -> None:
    """Slow (about five minutes): an energy figure needs windows of over half a minute."""
    with_meter(here)
    ran = subprocess.run(
        fleet("run", "--study", "metered.toml"),
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
        env=ENVIRONMENT,
    )
    assert ran.returncode == 0, ran.stderr
    [campaign] = here.glob("runs/self-metered-*.sqlite")
    [log] = here.glob("runs/fleet/self/*.meter.jsonl")
    assert log.stat().st_size > 0
    with sqlite3.connect(campaign) as sql:
        facts = dict(sql.execute("SELECT name, value FROM facts WHERE name LIKE 'power.lab%' OR name = 'fleet.meter'"))
        clocks = dict(sql.execute("SELECT clock, residual_s FROM clocks"))
        samples = sql.execute("SELECT count(*) FROM series_points WHERE instrument = 'power.lab'").fetchone()[0]
    assert facts["fleet.meter"] == "lab (command)"
    assert str(facts["power.lab"]).startswith("outside: total at the wall")
    assert facts["power.lab.aligned"] >= 1, facts  # other work on this machine may drown a train of pulses
    assert abs(facts["power.lab.offset_s"]) < 1.0, "the board is this machine, so both clocks are one"
    assert clocks["controller"] < 0.5
    assert samples > 1000
    from primetime.analysis import analyse
    from primetime.analysis.energy import Energy

    analysis = analyse(campaign)
    energies = {one.point: one.energy for one in analysis.power.trials}
    assert len(energies) == 3
    assert all(isinstance(energy, Energy) for energy in energies.values()), energies
    [line] = analysis.lines
    assert line.slope.value == pytest.approx(1.0, abs=0.25)


@pytest.mark.slow
def test_a_killed_controller_loses_energy_only_where_it_was_away(served: sshd.Server, here: Path, idle: None) -> None:
    with_meter(here)
    controller = subprocess.Popen(
        fleet("run", "--study", "metered.toml"), stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    )
    wait_for_trials(here, 1, controller)
    controller.send_signal(signal.SIGKILL)
    controller.communicate()
    time.sleep(20)  # the meter is away in the middle of a window
    resumed = subprocess.run(fleet("resume"), capture_output=True, text=True, timeout=900, check=False, env=ENVIRONMENT)
    assert resumed.returncode == 0, resumed.stderr
    [campaign] = here.glob("runs/self-metered-*.sqlite")
    with sqlite3.connect(campaign) as sql:
        facts = dict(sql.execute("SELECT name, value FROM facts WHERE name LIKE 'power.lab%'"))
        done = sql.execute("SELECT count(*) FROM trials WHERE status = 'done'").fetchone()[0]
    assert facts["power.lab.controllers"] == 2
    assert done == 3, "nothing but energy is lost"
    from primetime.analysis import analyse
    from primetime.analysis.energy import Energy

    energies = [one.energy for one in analyse(campaign).power.trials]
    assert any(isinstance(energy, Energy) for energy in energies), energies
    assert any("silent for" in energy for energy in energies if isinstance(energy, str)), energies
