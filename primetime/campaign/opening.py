"""Opening the real device: CPU sets, tuning, the volume, the network; everything is undone when it is closed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from primetime.campaign.cpus import CpuSets, observing_on, sets_here
from primetime.campaign.linux_device import LinuxDevice, Opening
from primetime.campaign.peer import Peer, PeerPlan, open_peer
from primetime.environments.base import Attachment, Storage
from primetime.host import network
from primetime.host.affinity import kernel_on, steer_packets
from primetime.host.cgroup import PARENT, Cgroup, read_hierarchy
from primetime.host.knobs import tuned
from primetime.host.ledger import Act, Ledger
from primetime.host.routes import control_interface
from primetime.host.services import quieted
from primetime.host.volume import PLAIN, Volume, disk_written_bytes, open_volume, queue_directory, scheduler

BRIDGED = (Attachment.NAMESPACE, Attachment.TAP)


@contextmanager
def open_device(opening: Opening) -> Iterator[LinuxDevice]:
    """Tune, open the volume, make the bridge and the peer; undo all of it at the end.

    The device lock must be held. Raises UserError for what the user can mend.
    """
    study, ledger = opening.study, opening.ledger
    sets = sets_here(study)
    with ExitStack() as stack:
        stack.enter_context(ledger.undone(Act("cgroup", {"name": PARENT})))
        Cgroup(PARENT, read_hierarchy()).create()
        stack.enter_context(observing_on(sets.observer))
        held = list(stack.enter_context(tuned(ledger, study.tuning)))
        held += stack.enter_context(quieted(ledger))
        if not sets.shared:
            held += stack.enter_context(kernel_on(sets.kernel, ledger))
        before = disk_written_bytes(Path(study.volume.path))
        disk = any(environment.storage is Storage.DISK for environment in opening.environments)
        volume = stack.enter_context(open_volume(study.volume, disk, ledger))
        if any(environment.guest_kernel for environment in opening.environments):
            stack.enter_context(plain_scheduler(volume, ledger))
        peer = stack.enter_context(open_network(opening, sets))
        device = LinuxDevice(opening, sets, volume, peer)
        device.control = control_interface()
        device.held_facts = tuple(held)
        device.booked_bytes = before
        yield device


@contextmanager
def open_network(opening: Opening, sets: CpuSets) -> Iterator[Peer | None]:
    """Make the bridge where an environment wants it, and the peer where the study has one."""
    study, ledger = opening.study, opening.ledger
    with ExitStack() as stack:
        attached = any(environment.attachment in BRIDGED for environment in opening.environments)
        in_bridge = study.network_path == "l2bridge"
        if attached or study.peer:
            stack.enter_context(network.named_namespaces(ledger))
        if attached or in_bridge:
            stack.enter_context(network.bridge(ledger, masquerade=study.network_path == "bridge+nat"))
        plan = PeerPlan(study.peer, opening.images.userland, ledger, sets.peer, in_bridge)
        peer = stack.enter_context(open_peer(plan)) if study.peer else None
        for interface in (network.BRIDGE, network.PEER_LINK):
            if not sets.shared:
                steer_packets(interface, sets.kernel)
        yield peer


@contextmanager
def plain_scheduler(volume: Volume, ledger: Ledger) -> Iterator[None]:
    """Give the tested disk the one I/O scheduler that every guest kernel has too (contract §1): none."""
    queue = queue_directory(volume.tested)
    if queue is None or scheduler(queue) == PLAIN:
        yield
        return
    original = scheduler(queue)
    with ledger.undone(Act("write", {"path": str(queue / "scheduler"), "value": original})):
        (queue / "scheduler").write_text(PLAIN, encoding="ascii")
        yield
