"""A reader of /dev/log where the system has none: Kata's runtime will not start without, and says its errors there."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from primetime.host.ledger import Act, Ledger

DEV_LOG = Path("/dev/log")
MOST = 1 << 16


@contextmanager
def reading_syslog(ledger: Ledger, into: Path, where: Path = DEV_LOG) -> Iterator[None]:
    """Write what is said on `where` to a file as long as the block lasts; nothing to do where somebody reads it."""
    if where.exists():
        yield
        return
    with ledger.undone(Act("paths", {"paths": [str(where)]})), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(str(where))
        with into.open("wb") as file:

            def read() -> None:
                while words := log.recv(MOST):
                    file.write(words.rstrip(b"\0\n") + b"\n")
                    file.flush()

            reader = threading.Thread(target=read, name="primetime-syslog", daemon=True)
            reader.start()
            try:
                yield
            finally:
                log.shutdown(socket.SHUT_RD)
                reader.join()
