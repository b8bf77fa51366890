"""All boards at once: a thread per board, since each mostly waits. One board's failure is no other's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

from primetime.errors import Interrupted, PrimetimeError
from primetime.fleet.fleet_file import FleetDevice
from primetime.fleet.pause import POLL_S, Pause

Given = TypeVar("Given")
Found = TypeVar("Found")
Part = tuple[FleetDevice, Given]


def together(
    parts: Sequence[Part[Given]], work: Callable[[FleetDevice, Given], Found], pause: Pause
) -> dict[str, Found | PrimetimeError]:
    """Do `work` for every device at once; return what came of it, by device name, in the order given.

    Errors that are our bugs are raised. An interruption calls every wait off, wherever it meets us.
    """
    found: dict[str, Found | PrimetimeError] = {}

    def one(part: Part[Given]) -> None:
        try:
            found[part[0].name] = work(*part)
        except PrimetimeError as error:
            found[part[0].name] = error

    futures: list[Future[None]] = []
    with ThreadPoolExecutor(max_workers=max(len(parts), 1)) as pool:
        try:
            for part in parts:
                futures.append(pool.submit(one, part))
            raise_bugs(futures)
        except (KeyboardInterrupt, Interrupted):
            pause.called_off.set()
        except BaseException:
            pause.called_off.set()
            raise
    raise_bugs(futures)
    return {device.name: found.get(device.name, Interrupted(pause.words)) for device, _ in parts}


def raise_bugs(futures: Sequence[Future[None]]) -> None:
    """Wait for all, and raise what is no PrimetimeError.

    Python hears of a signal that came just before it waits when that wait ends: so we wait a little at a time.
    """
    pending = set(futures)
    while pending:
        ended, pending = wait(pending, timeout=POLL_S)
        for future in ended:
            future.result()
