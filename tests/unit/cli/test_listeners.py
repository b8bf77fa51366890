"""What listeners do when nobody listens any more."""

from __future__ import annotations

import os

import pytest

from primetime.cli.listeners import JsonListener, TerminalListener
from primetime.errors import Interrupted
from primetime.model import Listener, StepStarted


@pytest.mark.parametrize("program", [True, False])
def test_a_reader_that_goes_away_stops_the_campaign_once(program: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as out:
        monkeypatch.setattr("sys.stdout", out)
        listener: Listener = JsonListener() if program else TerminalListener(out)
        with pytest.raises(Interrupted, match="went away"):
            listener(StepStarted("measuring"))
        listener(StepStarted("undoing"))  # this must not fail as well
        monkeypatch.undo()
