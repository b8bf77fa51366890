"""Fetching one file over HTTP: resumed where it stopped, never taken for whole when it is not."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from primetime.errors import UserError

CHUNK = 1 << 18
SILENCE_LIMIT_S = 60.0
FRUITLESS = 3  # attempts without a new byte, then we give up
PARTIAL, RANGE_REFUSED = 206, 416
FULL = (errno.ENOSPC, errno.EDQUOT)
Progress = Callable[[int, int], None]  # bytes here, bytes in all (0: not known)


def no_progress(here: int, whole: int) -> None:
    """A progress that nobody watches."""


def download(url: str, part: Path, size: int, progress: Progress) -> None:
    """Fetch `url` into `part`, going on behind what lies there already.

    `size`: what the whole file must have, 0 when the server's word is taken. UserError when it cannot be had:
    the part that came then stays for the next time, unless the disk is full.
    """
    fruitless = 0
    reason = ""
    while fruitless < FRUITLESS:
        before = part.stat().st_size if part.exists() else 0
        try:
            if fetch_rest(url, part, size, progress):
                return
            reason = "the connection was cut"
        except HTTPError as error:
            error.close()
            raise UserError(
                f"{url} cannot be had: HTTP {error.code} {error.reason}",
                "fetch the archive elsewhere and use --from DIR",
            ) from None
        except (URLError, HTTPException, TimeoutError, ConnectionError) as error:
            reason = str(getattr(error, "reason", error)) or type(error).__name__
        except OSError as error:
            raise written_badly(part, error) from None
        fruitless = 0 if part.exists() and part.stat().st_size > before else fruitless + 1
    here = part.stat().st_size if part.exists() else 0
    elsewhere = "fetch the archive elsewhere and use --from DIR"
    if not here:
        raise UserError(f"{url} cannot be had: {reason}", elsewhere)
    words = f"{url} came only in part ({here} bytes): {reason}"
    raise UserError(words, f"run the same again, it goes on where it stopped; or {elsewhere}")


def fetch_rest(url: str, part: Path, size: int, progress: Progress) -> bool:
    """Ask for what is missing and append it; return whether the file is whole now."""
    have = part.stat().st_size if part.exists() else 0
    if size and have > size:
        part.unlink()
        have = 0
    if size and have == size:
        return True
    request = Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        with asked(request) as reply:
            whole = size_told(reply, have)
            with part.open("ab" if reply.status == PARTIAL else "wb") as file:
                copy(reply, file, whole or size, progress)
    except HTTPError as error:
        if error.code != RANGE_REFUSED:
            raise
        error.close()
        whole = refused_size(error)
        if whole == have:
            return True
        part.unlink()  # it is longer than the server's file: another file
        return False
    here = part.stat().st_size
    if size and whole and whole != size:
        part.unlink()
        raise UserError(f"{url} has {whole} bytes, not the {size} of the lock file", "the server has another file")
    return here == (size or whole) if size or whole else True


def size_told(reply: HTTPResponse, have: int) -> int:
    """Return the whole file's size as a reply tells it, 0 when it does not."""
    length = reply.headers.get("Content-Length")
    told = int(length) if length and length.isdigit() else 0
    return told + have if told and reply.status == PARTIAL else told


def refused_size(error: HTTPError) -> int:
    """Return the size that a refusal names ("Content-Range: bytes */1234"); -1 when it names none."""
    total = error.headers.get("Content-Range", "").rpartition("/")[2]
    return int(total) if total.isdigit() else -1


def copy(reply: HTTPResponse, file: IO[bytes], whole: int, progress: Progress) -> None:
    """Copy until the reply ends, however that comes."""
    while chunk := received(reply):
        file.write(chunk)
        progress(file.tell(), whole)


@contextmanager
def networking() -> Iterator[None]:
    """URLError where the network fails inside: a plain OSError, as urllib leaves some, would pass for the disk's."""
    try:
        yield
    except URLError:
        raise
    except OSError as error:
        raise URLError(error.strerror or str(error)) from None


def asked(request: Request) -> HTTPResponse:
    """Ask the server."""
    with networking():
        reply: HTTPResponse = urlopen(request, timeout=SILENCE_LIMIT_S)
        return reply


def received(reply: HTTPResponse) -> bytes:
    """Read on."""
    with networking():
        return reply.read(CHUNK)


def written_badly(part: Path, error: OSError) -> UserError:
    """Say why a file could not be written. A part that filled the disk is taken away."""
    if error.errno in FULL:
        part.unlink(missing_ok=True)
        return UserError(f"no room for {part}: {error.strerror}", "make room, or: export PRIMETIME_CACHE=DIRECTORY")
    return UserError(f"{part} cannot be written: {error.strerror}", "run as root, or: export PRIMETIME_CACHE=DIRECTORY")
