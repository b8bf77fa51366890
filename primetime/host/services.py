"""What a distribution does by itself on flash stays quiet while it is measured (contract §6): trim, apt, the journal.

Only what runs is stopped, and it is started again at the end. A host without systemd has none of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from primetime.host.ledger import Act, Ledger
from primetime.host.process import run
from primetime.model import Fact

SYSTEMD = Path("/run/systemd/system")  # there when systemd is the init, sd_booted(3)
JOURNAL = Path("/var/log/journal")  # there when the journal is kept on the disk
SYSTEMCTL, JOURNALCTL = "systemctl", "journalctl"
UNITS = (
    "fstrim.timer",
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "apt-daily.service",
    "unattended-upgrades.service",
)
LIMIT_S = 60.0


@contextmanager
def quieted(ledger: Ledger) -> Iterator[tuple[Fact, ...]]:
    """Stop what runs of UNITS, keep the journal in memory; all is as before at the end."""
    if not SYSTEMD.is_dir():
        yield (Fact("quiet.stopped", "nothing: this host has no systemd"),)
        return
    running = [unit for unit in UNITS if is_active(unit)]
    with ExitStack() as stack:
        for unit in running:
            stack.enter_context(ledger.undone(Act("unit", {"name": unit})))
            run([SYSTEMCTL, "stop", unit], timeout_s=LIMIT_S)
        kept = JOURNAL.is_dir()
        if kept:
            stack.enter_context(ledger.undone(Act("journal", {})))
            run([JOURNALCTL, "--relinquish-var"], timeout_s=LIMIT_S)
        yield (Fact("quiet.stopped", " ".join(running)), Fact("quiet.journal_in_memory", kept))


def is_active(unit: str) -> bool:
    """Whether it runs, or waits for its time."""
    return run([SYSTEMCTL, "is-active", "--quiet", unit], timeout_s=LIMIT_S, check=False).returncode == 0


def start_unit(name: str) -> None:
    """Start what was stopped."""
    run([SYSTEMCTL, "start", name], timeout_s=LIMIT_S)


def flush_journal() -> None:
    """Let the journal write to the disk again."""
    run([JOURNALCTL, "--flush"], timeout_s=LIMIT_S)
