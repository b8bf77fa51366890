"""The agent: PID 1 of a guest. Runs programs for the host over a serial port or vsock, one JSON object a line.

A request is {"id": n, "op": …}; its answer {"id": n, "ok": true, …} or {"id": n, "ok": false, "error": …}.
Every answer carries "mono" and "real", the guest's clocks in seconds. One loop, no threads; several
programs may run at once. Only light modules are imported: in a slow guest their compilation counts.
"""

from __future__ import annotations

import binascii
import json
import os
import select
import signal
import sys
import time

TYPE_CHECKING = False  # importing typing would cost a slow guest a noticeable time
if TYPE_CHECKING:
    from typing import Any

PORTS = "/sys/class/virtio-ports"
PORT_NAME = "primetime"
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
BASE_ENVIRONMENT = {"PATH": SEARCH_PATH, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "HOME": "/root", "TERM": "dumb"}
CHUNK = 65536
TOUCH_STEP = 4 << 20
TOUCH_MARGIN = 12 << 20  # left free, or the kernel would reclaim and kill


def encode(content: bytes | bytearray) -> str:
    """Base64 without line breaks."""
    return binascii.b2a_base64(content, newline=False).decode("ascii")


def read(path: str) -> bytes:
    """A file's content."""
    with open(path, "rb") as file:  # noqa: PTH123 - pathlib costs a slow guest too much
        return file.read()


def write(path: str, content: bytes) -> int:
    """Replace a file's content."""
    with open(path, "wb") as file:  # noqa: PTH123
        return file.write(content)


class Child:
    """A program under way: its pipes are read and written by the loop. `id`: the request to answer at its end."""

    def __init__(self, request: dict[str, Any], identity: int | None) -> None:
        self.id = identity
        self.stdin = binascii.a2b_base64(request.get("stdin", ""))
        self.output = {1: bytearray(), 2: bytearray()}
        self.timed_out = False
        self.pipes: dict[int, int] = {}  # our end → the program's descriptor number
        self.started = time.monotonic()
        self.deadline = self.started + request["timeout_s"] if "timeout_s" in request else None
        self.pid = self.spawn(request["argv"], {**BASE_ENVIRONMENT, **request.get("env", {})})

    def spawn(self, argv: list[str], environment: dict[str, str]) -> int:
        """Start it in a session of its own, so that all of it can be killed. OSError when it cannot start."""
        pairs = [os.pipe2(os.O_CLOEXEC) for _ in range(3)]
        inner = [pairs[0][0], pairs[1][1], pairs[2][1]]
        outer = [pairs[0][1], pairs[1][0], pairs[2][0]]
        actions = [(os.POSIX_SPAWN_DUP2, end, number) for number, end in enumerate(inner)]
        how: Any = {"file_actions": actions, "setsid": True, "setsigdef": [signal.SIGPIPE]}
        try:
            pid = os.posix_spawnp(argv[0], argv, environment, **how)
        except OSError:
            inner += outer
            raise
        finally:
            for end in inner:
                os.close(end)
        for number, end in enumerate(outer):
            os.set_blocking(end, False)
            self.pipes[end] = number
        return pid

    def serve(self, descriptor: int) -> bool:
        """Move bytes on one pipe, close it at its end; False when nothing can be moved now."""
        try:
            if self.pipes[descriptor] == 0:
                self.stdin = self.stdin[os.write(descriptor, self.stdin[:CHUNK]) :] if self.stdin else b""
                more = bool(self.stdin)
            else:
                part = os.read(descriptor, CHUNK)
                self.output[self.pipes[descriptor]] += part
                more = bool(part)
        except BlockingIOError:
            return False
        except OSError:
            more = False  # the program closed its stdin
        if not more:
            self.close(descriptor)
        return more

    def close(self, descriptor: int) -> None:
        """Give up one pipe."""
        os.close(descriptor)
        del self.pipes[descriptor]

    def kill(self) -> None:
        """Kill its whole process group."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return

    def finish(self, status: int) -> dict[str, Any]:
        """What it gave: a signal's exit code is negative, times are the guest's. What it left behind is killed."""
        ended = time.monotonic()
        self.kill()
        for descriptor, number in list(self.pipes.items()):  # all that it wrote is in the pipes by now
            while number and descriptor in self.pipes and self.serve(descriptor):
                pass
        for descriptor in list(self.pipes):
            self.close(descriptor)
        output = {"stdout": encode(self.output[1]), "stderr": encode(self.output[2])}
        times = {"started": self.started, "seconds": ended - self.started, "timed_out": self.timed_out}
        return {"rc": os.waitstatus_to_exitcode(status), **output, **times}


class Agent:
    """The loop, and a method for each operation. `channel`: one descriptor for both directions."""

    def __init__(self, channel: int) -> None:
        self.channel = channel
        self.received = bytearray()
        self.children: dict[int, Child] = {}  # by pid
        self.wake, poke = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.set_wakeup_fd(poke, warn_on_full_buffer=False)

    def answer(self, identity: int, fields: dict[str, Any]) -> None:
        """Send one line, whole."""
        stamps = {"mono": time.monotonic(), "real": time.time()}
        line = json.dumps({"id": identity, "ok": "error" not in fields, **stamps, **fields}).encode() + b"\n"
        while line:
            line = line[os.write(self.channel, line[:CHUNK]) :]

    def serve(self) -> None:
        """Serve until the guest goes down."""
        self.answer(0, {"hello": os.getpid()})
        while True:
            for descriptor, events in self.poll():
                if descriptor == self.channel:
                    self.receive(events)
                elif descriptor == self.wake:
                    os.read(self.wake, CHUNK)
                else:
                    next(child for child in self.children.values() if descriptor in child.pipes).serve(descriptor)
            self.reap()

    def poll(self) -> list[tuple[int, int]]:
        """Wait until something can be done, or a program's time is over."""
        poll = select.poll()
        poll.register(self.channel, select.POLLIN)
        poll.register(self.wake, select.POLLIN)
        for child in self.children.values():
            for descriptor, number in child.pipes.items():
                poll.register(descriptor, select.POLLIN if number else select.POLLOUT)
        deadlines = [c.deadline for c in self.children.values() if c.deadline is not None and not c.timed_out]
        return poll.poll(max(0.0, min(deadlines) - time.monotonic()) * 1000 + 1 if deadlines else None)

    def receive(self, events: int) -> None:
        """Take what the host sent; act on whole lines."""
        part = os.read(self.channel, CHUNK) if events & select.POLLIN else b""
        if not part:
            time.sleep(0.02)  # nobody is at the host's end now
        self.received += part
        if b"\n" in part:
            *lines, self.received = self.received.split(b"\n")
            for line in lines:
                self.act(json.loads(line))

    def act(self, request: dict[str, Any]) -> None:
        """Carry out one request; an error of its own is its answer. None: answered later, or already."""
        try:
            fields = OPERATIONS[request["op"]](self, request)
        except (OSError, KeyError, ValueError) as error:
            fields = {"error": f"{request.get('op')}: {error}"}
        if fields is not None:
            self.answer(request["id"], fields)

    def reap(self) -> None:
        """Collect what has ended, as PID 1 every orphan too; kill programs whose time is over."""
        pid = -1
        while pid and self.children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            child = self.children.pop(pid, None)
            if child is not None:
                fields = child.finish(status)
                if child.id is not None:
                    self.answer(child.id, fields)
        for child in self.children.values():
            if child.deadline is not None and time.monotonic() >= child.deadline:
                child.timed_out = True
                child.kill()

    def run(self, request: dict[str, Any]) -> dict[str, Any] | None:
        """Run a program; answered at its end. One that cannot start gives what a shell would say."""
        try:
            child = Child(request, request["id"])
        except OSError as error:
            code = 127 if isinstance(error, FileNotFoundError) else 126
            words = encode(f"{request['argv'][0]}: {error.strerror}\n".encode())
            return {"rc": code, "stdout": "", "stderr": words, "seconds": 0.0, "timed_out": False}
        self.children[child.pid] = child
        return None

    def start(self, request: dict[str, Any]) -> dict[str, Any]:
        """Start a server; answered at once with its pid, which `stop` wants."""
        child = Child(request, None)
        self.children[child.pid] = child
        return {"pid": child.pid}

    def stop(self, request: dict[str, Any]) -> None:
        """Kill a started program; answered with its outcome."""
        child = self.children[request["pid"]]
        child.id = request["id"]
        child.kill()

    def put(self, request: dict[str, Any]) -> dict[str, Any]:
        """Write a file; give its size."""
        return {"bytes": write(request["path"], binascii.a2b_base64(request["content"]))}

    def get(self, request: dict[str, Any]) -> dict[str, Any]:
        """Read files: each one's content by path, null where there is none."""
        return {"files": {path: encode(read(path)) if os.path.exists(path) else None for path in request["paths"]}}  # noqa: PTH110

    def sync(self, request: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """Write all dirty pages to the disks; answered when they are there."""
        started = time.monotonic()
        os.sync()
        return {"seconds": time.monotonic() - started}

    def drop(self, request: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """Drop clean caches."""
        write("/proc/sys/vm/drop_caches", b"3")
        return {}

    def touch(self, request: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """Touch all free memory once, in a child that the kernel would kill first, and free it."""
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            touch_memory(writing)
        os.close(writing)
        with open(reading, "rb") as progress:  # noqa: PTH123
            steps = len(progress.read())
        os.waitpid(pid, 0)
        return {"touched_bytes": steps * TOUCH_STEP}

    def poweroff(self, request: dict[str, Any]) -> None:
        """Write everything and switch off; answered before it happens."""
        os.sync()
        self.answer(request["id"], {})
        write("/proc/sysrq-trigger", b"o")


OPERATIONS = {
    "run": Agent.run, "start": Agent.start, "stop": Agent.stop, "put": Agent.put, "get": Agent.get,
    "sync": Agent.sync, "drop": Agent.drop, "touch": Agent.touch, "poweroff": Agent.poweroff,
}  # fmt: skip


def touch_memory(progress: int) -> None:
    """Hold memory until hardly any is free, one byte to `progress` for every step, then end."""
    import mmap

    write("/proc/self/oom_score_adj", b"1000")
    held = []
    while int(read("/proc/meminfo").split(b"MemFree:")[1].split()[0]) * 1024 > TOUCH_MARGIN + TOUCH_STEP:
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE  # populating clears, so it writes
        held.append(mmap.mmap(-1, TOUCH_STEP, flags=flags))
        os.write(progress, b".")
    os._exit(0)


def open_channel(transport: str) -> int:
    """Open "virtio-serial" or listen on "vsock:PORT"; return a descriptor for both directions."""
    if transport.startswith("vsock:"):
        import socket

        listener = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
        listener.bind((socket.VMADDR_CID_ANY, int(transport.partition(":")[2])))
        listener.listen(1)
        return listener.accept()[0].detach()
    while True:
        for port in os.listdir(PORTS) if os.path.isdir(PORTS) else []:  # noqa: PTH112, PTH208
            if read(f"{PORTS}/{port}/name").decode("ascii").strip() == PORT_NAME:
                return os.open(f"/dev/{port}", os.O_RDWR | os.O_CLOEXEC)
        time.sleep(0.01)


if __name__ == "__main__":
    Agent(open_channel(sys.argv[1])).serve()
