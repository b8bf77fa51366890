"""Visits from outside (fleet) while a campaign runs: between blocks only, so that nothing of ours talks in a window.

In a small file beside the campaign the runner says when it will be open next. It holds every visiting interval
open until the time that the last visitor was told and `open_s` seconds more, or until somebody has come and gone.
So a visitor who comes when it was announced, or a little late, never meets a window; one who comes too early is
counted among that window's packets, and leaves with a newer announcement.

Times are CLOCK_MONOTONIC seconds of the device; a visitor is told in how many seconds to come.
"""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

POLL_S = 0.2
GOODBYE_S = 3.0  # a visitor's last packets, after its program has ended
LONGEST_VISIT_S = 900.0  # a large campaign over a slow line
PREPARING_S = 10.0  # between looks while the device prepares: there are no windows then
FIRST_MARGIN, MARGIN, LATER_MARGIN, MARGIN_S = 2.0, 1.15, 1.5, 10.0


class Stage(StrEnum):
    """What a runner is doing, as visitors see it."""

    PREPARING = "preparing"  # survey, calibration
    MEASURING = "measuring"
    OPEN = "open"  # a visiting interval


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a visitor reads. `opens_at`: when to come; in an open interval `after_s`: how long after leaving it."""

    stage: Stage
    block: int
    opens_at: float = 0.0
    after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Visitable:
    """What a runner says, as a visitor found it. `next_s`: when to come again, in seconds after leaving."""

    stage: Stage
    block: int
    next_s: float


class Visits:
    """The runner's side. `open_s`: how long an interval is held open beyond the announced time."""

    def __init__(self, campaign: Path, open_s: float, now: Callable[[], float] = time.monotonic) -> None:
        self.campaign = campaign
        self.open_s = open_s
        self.now = now
        self.slowness = 1.0  # of this device, to the plan's idea of one
        self.longest_block_s = 0.0
        self.block = 0
        self.slots = self.slots_ended = 0
        self.block_began = now()
        door(campaign).touch()
        self.seen = count(campaign)
        self.awaited = True  # by whom we were started
        self.latest = 0.0  # the latest time that was announced since the last interval
        self.write(Announcement(Stage.PREPARING, 0, self.said(PREPARING_S)))

    def said(self, seconds: float) -> float:
        """Note a time that visitors are told, and return it."""
        at = self.now() + seconds
        self.latest = max(self.latest, at)
        return at

    def expected_s(self, estimate_s: float) -> float:
        """How long the next block will last, rather too long. `estimate_s`: the plan's, before any block was seen."""
        if self.longest_block_s:
            return MARGIN * self.longest_block_s + MARGIN_S
        return FIRST_MARGIN * self.slowness * estimate_s + MARGIN_S

    def open_until(self) -> float:
        """Until when an interval that opens now waits for a visitor."""
        awaited = self.awaited or count(self.campaign) != self.seen
        return max(self.now(), self.latest if awaited else 0.0) + self.open_s

    def receive(self, next_s: float) -> bool:
        """Hold an interval open; the next block lasts `next_s` seconds. Return whether somebody came."""
        until = self.open_until()
        self.seen = count(self.campaign)
        self.write(Announcement(Stage.OPEN, self.block, after_s=next_s + GOODBYE_S))
        while not self.closed(until, next_s):
            time.sleep(POLL_S)
        self.awaited = count(self.campaign) != self.seen
        if self.awaited:
            time.sleep(GOODBYE_S)
        return self.awaited

    def closed(self, until: float, next_s: float) -> bool:
        """Close the interval when a visitor has left, or it is time and nobody is inside: the two cannot cross."""
        came, now = count(self.campaign) != self.seen, self.now()
        with alone_at(door(self.campaign)) as alone:
            if now > until + LONGEST_VISIT_S or (alone and (came or now > until)):
                self.latest = 0.0
                opens_at = self.said(next_s + GOODBYE_S)
                self.write(Announcement(Stage.MEASURING, self.block + 1, opens_at))
                return True
        return False

    def begin_block(self, block: int, slots: int, expected_s: float) -> None:
        """Say that `block` with so many slots is measured from now on."""
        self.block, self.slots, self.slots_ended, self.block_began = block, slots, 0, self.now()
        self.seen = count(self.campaign)
        self.write(Announcement(Stage.MEASURING, block, self.said(expected_s)))

    def slot_ended(self) -> None:
        """Say anew when the block will end, now that its pace is seen. Called between boots."""
        self.slots_ended += 1
        seconds = self.now() - self.block_began
        left_s = LATER_MARGIN * seconds / self.slots_ended * (self.slots - self.slots_ended) + MARGIN_S
        self.write(Announcement(Stage.MEASURING, self.block, self.said(left_s)))
        if self.slots_ended == self.slots:
            self.longest_block_s = max(self.longest_block_s, seconds)

    def write(self, announcement: Announcement) -> None:
        """Replace the announcement as a whole."""
        board = notice(self.campaign)
        part = board.with_name(f"{board.name}.part")
        part.write_text(json.dumps(asdict(announcement)), encoding="utf-8")
        part.rename(board)


@contextmanager
def visiting(campaign: Path) -> Iterator[None]:
    """Be a visitor: the runner waits for us, and hears that we left; a visitor who dies has not been there."""
    with door(campaign).open("a", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
        file.write(".")


def read_notice(campaign: Path, now: Callable[[], float] = time.monotonic) -> Visitable | None:
    """Read the newest announcement; None where no runner has made one."""
    try:
        said = Announcement(**json.loads(notice(campaign).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    waits = {Stage.PREPARING: PREPARING_S, Stage.OPEN: said.after_s}
    measuring_s = max(said.opens_at - now(), 0.0)
    stage = Stage(said.stage)
    return Visitable(stage, said.block, waits.get(stage, measuring_s))


def notice(campaign: Path) -> Path:
    """The file with the announcement."""
    return campaign.with_name(f"{campaign.name}.visits")


def door(campaign: Path) -> Path:
    """The file that a visitor holds locked; it has a byte for every visit."""
    return campaign.with_name(f"{campaign.name}.door")


def count(campaign: Path) -> int:
    """How many visits there have been."""
    return door(campaign).stat().st_size


@contextmanager
def alone_at(path: Path) -> Iterator[bool]:
    """Hold the door when no visitor does; say whether we do. The kernel frees a dead visitor's lock."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
