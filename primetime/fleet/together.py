"""All boards at once: a thread per board, since each mostly waits. One board's failure is no other's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from primetime.errors import PrimetimeError
from primetime.fleet.fleet_file import FleetDevice
from primetime.fleet.pause import Pause

Given = TypeVar("Given")
Found = TypeVar("Found")
Part = tuple[FleetDevice, Given]


def together(
    parts: Sequence[Part[Given]], work: Callable[[FleetDevice, Given], Found], pause: Pause
) -> dict[str, Found | PrimetimeError]:
    """Do `work` for every device at once; return what came of it, by device name, in the order given.

    Errors that are our bugs are raised. An interruption calls every wait off.
    """

    def one(part: Part[Given]) -> Found | PrimetimeError:
        try:
            return work(*part)
        except PrimetimeError as error:
            return error

    with ThreadPoolExecutor(max_workers=max(len(parts), 1)) as pool:
        futures = {part[0].name: pool.submit(one, part) for part in parts}
        try:
            return {name: future.result() for name, future in futures.items()}
        except KeyboardInterrupt:
            pause.called_off.set()
            return {name: future.result() for name, future in futures.items()}
        except BaseException:
            pause.called_off.set()
            raise
