"""Where the kernel does its own work (contract §3): interrupts, unbound workqueues, packet steering.

Sources: Documentation/core-api/irq/irq-affinity.rst, workqueue.rst, networking/scaling.rst of the kernel.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from primetime.host.ledger import Act, Ledger
from primetime.model import Fact

INTERRUPTS = Path("/proc/irq")
WORKQUEUES = Path("/sys/devices/virtual/workqueue/cpumask")
INTERFACES = Path("/sys/class/net")
WORD_BITS = 32


@contextmanager
def kernel_on(cpus: Iterable[int], ledger: Ledger) -> Iterator[tuple[Fact, ...]]:
    """Move interrupts and unbound workqueues to `cpus`; yield what moved, put all back at the end.

    Per-CPU interrupts refuse to move: they are counted, not an error.
    """
    wanted = sorted(cpus)
    listed = ",".join(str(cpu) for cpu in wanted)
    moved, refused = 0, 0
    with ExitStack() as stack:
        for path in sorted(INTERRUPTS.glob("[0-9]*/smp_affinity_list")):
            if stack.enter_context(written(path, listed, ledger)):
                moved += 1
            else:
                refused += 1
        if WORKQUEUES.exists():
            stack.enter_context(written(WORKQUEUES, mask(wanted), ledger))
        yield (
            Fact("kernel.irqs_moved", moved),
            Fact("kernel.irqs_fixed", refused),
            Fact("kernel.workqueue_mask", WORKQUEUES.read_text("ascii").strip() if WORKQUEUES.exists() else None),
        )


@contextmanager
def written(path: Path, value: str, ledger: Ledger) -> Iterator[bool]:
    """Write a kernel file for the length of a block; yield whether the kernel took it."""
    original = path.read_text(encoding="ascii").strip()
    with ExitStack() as stack:
        entry = ledger.record(Act("write", {"path": str(path), "value": original}))
        try:
            path.write_text(value, encoding="ascii")
        except OSError:  # this interrupt belongs to one CPU
            entry.unlink()
            yield False
            return
        stack.callback(ledger.undo, entry)
        yield True


def steer_packets(interface: str, cpus: Iterable[int]) -> None:
    """Let the kernel's receive work of one of our own interfaces happen on `cpus`; it goes with the interface.

    Nothing happens when there is no such interface.
    """
    for path in (INTERFACES / interface / "queues").glob("rx-*/rps_cpus"):
        path.write_text(mask(cpus), encoding="ascii")


def mask(cpus: Iterable[int]) -> str:
    """A CPU mask as the kernel writes it: comma-separated hexadecimal words of 32 CPUs, highest first."""
    number = sum(1 << cpu for cpu in set(cpus))
    words: list[str] = []
    while number or not words:
        words.append(f"{number & (1 << WORD_BITS) - 1:08x}")
        number >>= WORD_BITS
    return ",".join(reversed(words))
