"""What a guest kernel is, and what it is given so that it does as the host's does (contract §1, §2, §4)."""

from __future__ import annotations

from pathlib import Path

from primetime.host.facts import CONFIG_OPTIONS, parse_config
from primetime.host.knobs import chosen
from primetime.host.volume import queue_directory, scheduler
from primetime.images.guest import GuestImages
from primetime.model import Fact

DIRTY = ("dirty_bytes", "dirty_background_bytes")
QUEUE = ("read_ahead_kb", "rotational")


def kernel_facts(images: GuestImages) -> tuple[Fact, ...]:
    """The guest kernel's build options of interest, as `guest.kernel.config.…`, where its package says them."""
    if images.kernel_config is None:
        return ()
    config = parse_config(images.kernel_config.read_text(encoding="utf-8"))
    return tuple(Fact(f"guest.kernel.config.{name}", config.get(name)) for name in CONFIG_OPTIONS)


def guest_settings(tested: Path) -> dict[str, str]:
    """What a guest kernel is given of the host's settings (contract §1, §2), by the guest's file."""
    found = {f"/proc/sys/vm/{name}": Path(f"/proc/sys/vm/{name}").read_text(encoding="ascii").strip() for name in DIRTY}
    found = {path: value for path, value in found.items() if value != "0"}  # 0: the ratio is in force instead
    queue = queue_directory(tested)
    if queue:
        found["/sys/block/vdb/queue/scheduler"] = scheduler(queue)
        found.update({f"/sys/block/vdb/queue/{name}": chosen(queue / name) for name in QUEUE})
    return found
