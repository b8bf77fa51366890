"""A study that was given to a board: what the controller must remember, as one small file per campaign.

`runs/fleet/<device>/<campaign>.json`, written whole before and after everything that changes it, so that a killed
controller knows where every board stands. Removing the file gives the campaign up.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path, PurePosixPath

from primetime.errors import UserError
from primetime.fleet.fleet_file import FleetDevice
from primetime.model import Study
from primetime.store import give_to_user
from primetime.store.database import make_directory
from primetime.store.resolved import study_from_json, study_to_json

RUNS = Path("runs")
LAST_SECOND = 1e11  # UNIX seconds; beyond, nobody would wait


@dataclass(frozen=True, slots=True)
class Assignment:
    """One campaign on one board.

    `study`: resolved, as JSON, with the board's volume; `command`: the argv that starts primetime there, () before
    it was prepared; `next_visit`: UNIX seconds, 0: none was announced; `state`: the campaign's as last seen.
    """

    device: str
    name: str
    study_name: str
    study: str
    command: tuple[str, ...] = ()
    next_visit: float = 0.0
    state: str = ""
    finished: bool = False

    @property
    def record(self) -> Path:
        """Where this is remembered."""
        return directory(self.device) / f"{self.name}.json"

    @property
    def campaign(self) -> Path:
        """The campaign file here."""
        return RUNS / f"{self.device}-{self.name}.sqlite"

    @property
    def meter_log(self) -> Path:
        """What we record here of the board's meter, where it has one."""
        return directory(self.device) / f"{self.name}.meter.jsonl"

    def there(self, home: PurePosixPath) -> PurePosixPath:
        """The campaign file on the board."""
        return home / f"{self.name}.sqlite"


def directory(device: str) -> Path:
    """Where the assignments of a device are remembered."""
    return RUNS / "fleet" / device


def free(devices: Iterable[str]) -> None:
    """UserError while one of these has an unfinished campaign."""
    for device in devices:
        for earlier in assignments(device):
            if not earlier.finished:
                hint = f"go on with it: primetime fleet resume; or give it up: rm {earlier.record}"
                raise UserError(f"{device} has a campaign that is not finished: {earlier.name}", hint)


def assign(device: FleetDevice, study: Study, now: datetime) -> Assignment:
    """Give a board a study, on the board's own volume. `now`: UTC."""
    smoke = "-smoke" if study.smoke else ""
    name = f"{study.name}{smoke}-{now.strftime('%Y%m%dT%H%M%SZ')}"
    return remember(Assignment(device.name, name, study.name, on_volume_of(device, study)))


def on_volume_of(device: FleetDevice, study: Study) -> str:
    """A study for one board, as JSON."""
    return study_to_json(replace(study, volume=replace(study.volume, path=device.volume)))


def as_it_is_now(given: Assignment, device: FleetDevice) -> Assignment:
    """Follow the fleet file, where the volume may have been corrected, as long as nothing has begun."""
    if given.state or given.finished:
        return given
    study = on_volume_of(device, study_from_json(given.study))
    return given if study == given.study else remember(replace(given, study=study))


def remember(assignment: Assignment) -> Assignment:
    """Write it down, and return it. UserError when that cannot be."""
    path = assignment.record
    part = path.with_name(f".{path.name}.part")
    try:
        make_directory(path.parent)
        with part.open("w", encoding="utf-8") as file:
            json.dump(asdict(assignment), file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}", "go to a directory of yours") from None
    give_to_user(path)
    return assignment


def assignments(device: str) -> list[Assignment]:
    """All that a device was given, the newest last. UserError for a file that is not ours."""
    found = [recall(path) for path in directory(device).glob("*.json")]
    return sorted(found, key=lambda one: one.name.rpartition("-")[2])


def recall(path: Path) -> Assignment:
    """Read one."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = Assignment(**{**content, "command": tuple(content["command"])})
        require_sound(found, path)
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise UserError(
            f"{path} is not what primetime fleet wrote: {error}", f"give its campaign up: rm {path}"
        ) from None
    return found


def require_sound(found: Assignment, path: Path) -> None:
    """ValueError for values that we would not have written there."""
    words = (found.device, found.name, found.study_name, found.study, found.state, *found.command)
    if not all(isinstance(word, str) for word in words) or not isinstance(found.finished, bool):
        raise ValueError("a value is not of its kind")
    if (found.device, found.name) != (path.parent.name, path.stem):
        raise ValueError("it is of another device or campaign")
    if not isinstance(found.next_visit, int | float) or not 0 <= found.next_visit < LAST_SECOND:
        raise ValueError(f"next_visit is {found.next_visit!r}")


def latest(devices: Iterable[str], study: str, here: bool = False) -> list[Assignment]:
    """The newest assignment of each device, of this study where one is named ("" for any).

    `here`: only of those whose campaign, or what there is of it, has come home.
    """
    found = []
    for device in devices:
        mine = [one for one in assignments(device) if study in ("", one.study_name)]
        mine = [one for one in mine if one.campaign.exists() or not here]
        found.extend(mine[-1:])
    return found
