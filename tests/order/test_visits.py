"""Visits happen between blocks and nowhere else; what is announced is kept."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from primetime.campaign import visits as visits_module
from primetime.campaign.visits import Stage, Visitable, Visits, read_notice, visiting
from primetime.model import BlockStarted, Event, TrialEnded, TrialStarted, VisitOpened
from tests.order.campaigns import BLOCKS, Campaign, made_study


class Visitor(threading.Thread):
    """Comes as often as it can, and notes what it was told and what it found, while a campaign runs."""

    def __init__(self, campaign: Path) -> None:
        super().__init__(daemon=True)
        self.campaign = campaign
        self.found: list[Visitable] = []
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.02):
            told = read_notice(self.campaign)
            if told and told.stage is Stage.OPEN:
                with visiting(self.campaign):
                    again = read_notice(self.campaign)
                    if again:
                        self.found.append(again)


class Clock:
    """A runner's clock that goes on by 10 ms with every look: what is announced on it is exact."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        self.at += 0.01
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own constants, in the tests' seconds."""
    for name, value in {"POLL_S": 0.01, "GOODBYE_S": 0.05, "PREPARING_S": 0.1, "MARGIN_S": 0.2}.items():
        monkeypatch.setattr(visits_module, name, value)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "made.sqlite"


def kinds(events: list[Event]) -> list[str]:
    """What matters of the order: intervals, blocks, trials."""
    names = {VisitOpened: "visit", BlockStarted: "block", TrialStarted: "begin", TrialEnded: "end"}
    return [names[type(event)] for event in events if type(event) in names]


def test_an_interval_stands_before_every_block_and_nowhere_else(path: Path) -> None:
    campaign = Campaign(path, made_study({"native": {}, "slow": {}}, points=1))
    campaign.visits = Visits(path, open_s=120.0)
    visitor = Visitor(path)
    visitor.start()
    campaign.run()
    visitor.ended.set()
    visitor.join()
    block = ["visit", "block", *["begin", "end"] * 2]
    assert kinds(campaign.events) == block * BLOCKS
    assert [event.block for event in campaign.events if isinstance(event, VisitOpened)] == [0, 1, 2]
    assert [(one.stage, one.block) for one in visitor.found] == [(Stage.OPEN, 0), (Stage.OPEN, 1), (Stage.OPEN, 2)]


def test_a_campaign_that_nobody_visits_goes_on(path: Path) -> None:
    campaign = Campaign(path, made_study({"native": {}}, points=1))
    campaign.visits = Visits(path, open_s=0.05)
    campaign.run()
    assert len(campaign.done()) == BLOCKS


def test_without_visits_there_are_no_intervals(path: Path) -> None:
    campaign = Campaign(path, made_study({"native": {}}, points=1))
    campaign.run()
    assert "visit" not in kinds(campaign.events)
    assert read_notice(path) is None


def test_an_interval_is_held_until_the_time_that_was_announced(path: Path) -> None:
    """A block that is shorter than announced must not lead a punctual visitor into the next one."""
    visits = Visits(path, open_s=0.1)
    visitor = Visitor(path)
    visitor.start()
    assert visits.receive(next_s=0.6)
    visitor.ended.set()
    told = time.monotonic() + 0.6
    visits.begin_block(1, 1, 0.6)  # the block itself takes no time
    visits.slot_ended()
    assert visits.open_until() >= told


def test_once_nobody_came_the_next_interval_waits_for_nobody(path: Path, clock: Clock) -> None:
    visits = Visits(path, open_s=0.05, now=clock)
    assert not visits.receive(next_s=60.0)
    visits.begin_block(1, 1, 60.0)
    until = visits.open_until()
    assert until == pytest.approx(clock.at + 0.05)


def test_who_comes_too_early_is_told_anew_and_waited_for(path: Path, clock: Clock) -> None:
    visits = Visits(path, open_s=0.05, now=clock)
    visits.receive(next_s=0.0)
    visits.begin_block(1, 4, 60.0)
    told = clock.at + 60.0
    with visiting(path):
        found = read_notice(path, clock)
    assert found is not None
    assert (found.stage, found.block) == (Stage.MEASURING, 1)
    assert found.next_s == pytest.approx(told - clock.at)
    assert visits.open_until() == pytest.approx(told + 0.05)


def test_an_interval_does_not_end_under_a_visitor(path: Path) -> None:
    visits = Visits(path, open_s=0.05)
    visits.latest = 0.0
    arrived = threading.Event()
    left: list[float] = []

    def visit() -> None:
        with visiting(path):
            arrived.set()
            time.sleep(0.4)
            left.append(time.monotonic())

    thread = threading.Thread(target=visit)
    thread.start()
    arrived.wait()
    assert visits.receive(next_s=0.0)
    assert time.monotonic() >= left[0]
    thread.join()


def test_a_visitor_who_dies_was_not_there(path: Path) -> None:
    visits = Visits(path, open_s=0.05)
    with pytest.raises(RuntimeError), visiting(path):
        raise RuntimeError("the connection is gone")
    visits.latest = 0.0
    assert not visits.receive(next_s=0.0)


def test_the_pace_that_was_seen_replaces_the_plans(path: Path, clock: Clock) -> None:
    visits = Visits(path, open_s=0.05, now=clock)
    assert visits.expected_s(100.0) > 100.0
    visits.begin_block(1, 1, 100.0)
    clock.at += 30.0
    visits.slot_ended()
    assert visits.expected_s(100.0) == pytest.approx(1.15 * 30.0 + 0.2, rel=0.01)
