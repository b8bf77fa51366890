"""A real HTTP server on 127.0.0.1 that serves archives, whole, in part, or badly."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Served:
    """What the server has and does. `cut`: it closes after so many bytes of a reply, while `cuts` are left."""

    files: dict[str, bytes]
    cut: int = 0
    cuts: int = 0
    ranges: bool = True
    asked: list[str] = field(default_factory=list)  # the Range of each request, "" for none
    url: str = ""


class Handler(BaseHTTPRequestHandler):
    """Answers GET, with ranges where it may."""

    served: Served

    def do_GET(self) -> None:
        content = self.served.files.get(self.path.lstrip("/"))
        wanted = self.headers.get("Range", "")
        self.served.asked.append(wanted)
        if content is None:
            self.send_error(404)
            return
        start = int(found[1]) if self.served.ranges and (found := re.match(r"bytes=(\d+)-", wanted)) else 0
        if start >= len(content) and start:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        if self.served.cuts and self.served.cut < len(body):
            self.served.cuts -= 1
            body = body[: self.served.cut]
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def serving(files: dict[str, bytes], cut: int = 0, cuts: int = 0, ranges: bool = True) -> Iterator[Served]:
    """Serve until the block ends."""
    served = Served(files, cut, cuts, ranges)
    handler = type("OfThisTest", (Handler,), {"served": served})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        served.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()
