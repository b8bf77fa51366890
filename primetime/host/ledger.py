"""The undo ledger: every act that must be undone is written down before it is done.

One file per entry under `<run directory>/ledger/`, named by a growing number, written to a temporary
name and renamed, so that an entry is whole or absent. A killed run leaves its entries behind; `replay`
undoes them newest first. An undo function must accept that the act never happened.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from primetime.errors import Interrupted, PrimetimeError, UndoFailed

Json = str | int | float | bool | None | list[str]
Undo = Callable[[Mapping[str, Json]], None]
RUN_DIRECTORY = Path("/run/primetime")


@dataclass(frozen=True, slots=True)
class Act:
    """Something done to the machine. `kind` names its undo function, `args` are that function's."""

    kind: str
    args: Mapping[str, Json]


class Ledger:
    """The acts of this device that are not undone yet. `undos`: undo function by kind."""

    def __init__(self, directory: Path, undos: Mapping[str, Undo]) -> None:
        self.directory = directory
        self.undos = undos

    def record(self, act: Act) -> Path:
        """Write an entry that will undo `act`; call before the act. Returns the entry."""
        if act.kind not in self.undos:
            raise KeyError(act.kind)
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        number = max((int(entry.stem) for entry in self.entries()), default=0) + 1
        entry = self.directory / f"{number:08d}.json"
        part = entry.with_suffix(".part")
        with part.open("w", encoding="utf-8") as file:
            json.dump({"kind": act.kind, "args": dict(act.args)}, file)
            file.flush()
            os.fsync(file.fileno())
        part.rename(entry)
        return entry

    def undo(self, entry: Path) -> None:
        """Undo one entry and strike it out. Raises UndoFailed; the entry then stays.

        A signal that arrives meanwhile is obeyed once the entry is undone (no second one can arrive:
        campaign/signals.py).
        """
        try:
            self._undo(entry)
        except Interrupted:
            self._undo(entry)
            raise

    def _undo(self, entry: Path) -> None:
        if not entry.exists():
            return
        content = json.loads(entry.read_text(encoding="utf-8"))
        try:
            self.undos[content["kind"]](content["args"])
        except Interrupted:
            raise
        except (OSError, PrimetimeError) as error:
            raise UndoFailed(f"could not undo {content['kind']} {content['args']}: {error}") from error
        entry.unlink()

    @contextmanager
    def undone(self, act: Act) -> Iterator[None]:
        """Record `act`; the caller does it inside the block; leaving the block undoes it."""
        entry = self.record(act)
        try:
            yield
        finally:
            self.undo(entry)

    def entries(self) -> list[Path]:
        """All entries, oldest first."""
        if not self.directory.is_dir():
            return []
        return sorted(self.directory.glob("*.json"))

    def replay(self) -> list[str]:
        """Undo all entries, newest first; return what was undone, in words.

        An entry that cannot be undone does not stop the others; UndoFailed then names them all.
        """
        done: list[str] = []
        failed: list[str] = []
        for entry in reversed(self.entries()):
            content = json.loads(entry.read_text(encoding="utf-8"))
            words = f"{content['kind']} {' '.join(str(value) for value in content['args'].values())}"
            try:
                self.undo(entry)
                done.append(words)
            except UndoFailed as error:
                failed.append(error.message)
        if failed:
            raise UndoFailed("; ".join(failed))
        return done
