"""Full load on every CPU, by threads of this process: it ends when we end, however that happens."""

from __future__ import annotations

import os
import threading
import zlib
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

MOST_CPUS = 4096
BLOCK_BYTES = 256 * 1024  # stays in a cache; far above the size from which zlib lets other threads run


def load_every_cpu(seconds: float) -> None:
    """Keep every CPU busy for so many seconds, less when we are interrupted. OSError when one cannot be loaded."""
    cpus = sorted(reachable_cpus())
    stop = threading.Event()
    with ThreadPoolExecutor(len(cpus), "primetime-load") as pool:
        burning = [pool.submit(burn, cpu, stop) for cpu in cpus]
        try:
            wait(burning, seconds, FIRST_EXCEPTION)
        finally:
            stop.set()
    for one in burning:
        one.result()


def burn(cpu: int, stop: threading.Event) -> None:
    """Compute on one CPU until told to stop; the interpreter's lock is free meanwhile, so meters are still read."""
    os.sched_setaffinity(0, {cpu})  # 0 is the calling thread
    block = bytes(BLOCK_BYTES)
    while not stop.is_set():
        zlib.crc32(block)


def reachable_cpus() -> set[int]:
    """The CPUs that this process could run on, whatever it is confined to now."""
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, range(MOST_CPUS))  # the kernel leaves out what is offline or not in our cpuset
        return os.sched_getaffinity(0)
    finally:
        os.sched_setaffinity(0, before)
