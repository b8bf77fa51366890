"""A campaign that runs here for a controller elsewhere (fleet): what lies beside its file, and how it stands.

`<campaign>.errand` is what the controller asked for, `.job` how the last process began and ended, `.running` is
locked while one is at work, `.log` what it said. See visits.py for `.visits` and `.door`.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from primetime.campaign.session import FromFleet, begin, resume
from primetime.campaign.visits import Stage, Visits, read_notice
from primetime.errors import UserError
from primetime.host.facts import boot_id
from primetime.images.cache import file_hash
from primetime.model import CampaignState, Fact, Listener
from primetime.store import CampaignFile
from primetime.store.resolved import study_from_json

SAID_BYTES = 4096  # of the log's end: what a controller shows of a run that failed


@dataclass(frozen=True, slots=True)
class Errand:
    """What a controller asks for. `study`: resolved, as JSON; `device`: its name for this device."""

    study: str
    device: str
    open_s: float
    facts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Standing:
    """How a job stands. `exit_code`: None while it runs, and when it was killed; `next_s`: when to come again.

    `left`: how many of its acts on the device could not be undone when it ended; going on with it tries again.
    `state`, `done`, `planned` are of the campaign file, which is not looked at inside a block.
    """

    running: bool
    exit_code: int | None
    begun: bool
    stage: str = ""
    block: int = 0
    next_s: float = 0.0
    state: str = ""
    done: int = 0
    planned: int = 0
    said: str = ""
    left: int = 0

    @property
    def may_be_read(self) -> bool:
        """Whether reading the campaign file disturbs nothing."""
        return self.begun and (not self.running or self.stage == Stage.OPEN)


@dataclass(frozen=True, slots=True)
class Job:
    """The campaign, by the path of its file."""

    campaign: Path

    def beside(self, ending: str) -> Path:
        """A file beside the campaign."""
        return self.campaign.with_name(f"{self.campaign.name}.{ending}")

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Be the one process that carries this out, with whatever it forks. UserError when another does."""
        self.campaign.parent.mkdir(parents=True, exist_ok=True)
        with self.beside("running").open("ab") as file:  # closing it frees the lock once no fork has it open
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UserError(f"{self.campaign} is being measured already", "primetime fleet resume") from None
            yield

    def has_begun(self) -> bool:
        """Whether there is a campaign to go on with."""
        return self.campaign.exists() and self.campaign.stat().st_size > 0

    def is_running(self) -> bool:
        """Whether a process is at work; the kernel knows."""
        try:
            with self.at_work():
                return False
        except UserError:
            return True

    def note(self, exit_code: int | None, left: int = 0) -> None:
        """Write down that a process is at work (None), or how it ended; `left`: acts that it could not undo."""
        content = {"pid": os.getpid(), "boot_id": boot_id(), "exit_code": exit_code, "left": left}
        write_whole(self.beside("job"), json.dumps(content))

    def carry_out(self, listener: Listener) -> CampaignState:
        """Begin the campaign, or go on with it. UserError, Interrupted, UndoFailed."""
        errand = Errand(**read_json(self.beside("errand")))
        facts = tuple(Fact(name, value) for name, value in errand.facts.items())
        fleet = FromFleet(errand.device, Visits(self.campaign, errand.open_s), facts)
        if self.has_begun():
            return resume(self.campaign, listener, fleet)
        self.campaign.unlink(missing_ok=True)  # a power cut at its very beginning leaves an empty file
        return begin(study_from_json(errand.study), self.campaign, None, listener, fleet)

    def ask(self, errand: Errand) -> None:
        """Write down what is asked for."""
        write_whole(self.beside("errand"), json.dumps(asdict(errand)))

    def standing(self) -> Standing:
        """Look how the job stands."""
        running = self.is_running()
        job = {} if running else read_json(self.beside("job"))
        found = Standing(
            running, job.get("exit_code"), self.has_begun(), said=self.last_words(), left=int(job.get("left", 0))
        )
        notice = read_notice(self.campaign) if running else None
        if notice is None:
            return self.with_counts(found)
        return self.with_counts(replace(found, stage=notice.stage, block=notice.block, next_s=notice.next_s))

    def with_counts(self, found: Standing) -> Standing:
        """Add what the campaign file says, where that disturbs nothing."""
        if not found.may_be_read:
            return found
        with CampaignFile.open(self.campaign, write=False) as file:
            counts = file.counts()
            state = file.state()
        ended = counts.done + counts.failed + counts.skipped
        return replace(found, state=state, done=ended, planned=sum(counts))

    def last_words(self) -> str:
        """The end of the log."""
        log = self.beside("log")
        return log.read_bytes()[-SAID_BYTES:].decode(errors="replace") if log.exists() else ""

    def copy_to(self, path: Path) -> tuple[int, str]:
        """Write a consistent copy of the campaign by SQLite's backup; return its size and SHA-256."""
        path.unlink(missing_ok=True)
        with CampaignFile.open(self.campaign, write=False) as file:
            file.backup(path)
        return path.stat().st_size, file_hash(path)


def write_whole(path: Path, text: str) -> None:
    """Replace a small file as a whole, also across a power cut."""
    part = path.with_name(f"{path.name}.part")
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)


def read_json(path: Path) -> dict[str, Any]:
    """Read what `write_whole` wrote; {} where there is nothing."""
    if not path.exists():
        return {}
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
