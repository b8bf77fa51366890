"""What every guest kernel and our init in it are told on the kernel's command line."""

from __future__ import annotations

from primetime.environments.base import BootContext
from primetime.host.volume import MOUNT_OPTIONS

PANIC_ENDS_IT = "panic=-1 oops=panic"  # a dead guest resets at once, which ends its VMM
PANIC_STAYS = "panic=0 oops=panic"  # where a reset would boot the guest again
LOG_LEVEL = "loglevel=6"  # shows the banner, so that a dead kernel is told from a late one, and little else


def guest_words(context: BootContext, serial: str, agent: str, at_panic: str = PANIC_ENDS_IT) -> list[str]:
    """Return the words. `serial`: the console's device; `agent`: where ours listens ("vsock:1024")."""
    words = [f"console={serial}", at_panic, LOG_LEVEL, f"primetime.agent={agent}"]
    words.append(f"primetime.data={MOUNT_OPTIONS}")
    connection = context.connection
    if connection.interface:
        words.append(f"primetime.ip={connection.address}/{connection.prefix} primetime.gw={connection.gateway}")
    return words
