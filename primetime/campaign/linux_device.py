"""The real device: opened once per campaign, everything it changes is in the undo ledger."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from primetime.campaign.cpus import CpuSets
from primetime.campaign.device import BootStart, Device
from primetime.campaign.far_peer import wire_facts
from primetime.campaign.guest_kernel import guest_settings, kernel_facts
from primetime.campaign.peer import Peer
from primetime.campaign.peer_service import PeerUse
from primetime.campaign.quiet import busy_fraction, dirty_bytes, hottest
from primetime.campaign.survey import absent_programs
from primetime.environments.base import Attachment, BootContext, Connection, Environment, Instance, Storage
from primetime.errors import BootFailed, UndoFailed, UserError
from primetime.host import network
from primetime.host.affinity import steer_packets
from primetime.host.cgroup import PARENT, Cgroup
from primetime.host.facts import machine_facts, volume_facts
from primetime.host.ledger import RUN_DIRECTORY, Act, Ledger
from primetime.host.offloads import hop_in_words
from primetime.host.process import run
from primetime.host.rawdisk import limit_facts
from primetime.host.volume import Volume, disk_written_bytes, logical_block, open_volume_facts
from primetime.images.guest import GuestImages
from primetime.instruments import default_instruments, instrument_facts
from primetime.instruments.memory import footprint_bytes
from primetime.instruments.sampler import Sampler
from primetime.model import Fact, FileToPut, Footprint, Limits, Outcome, Site, Step, Study

SYNC_LIMIT_S = 300.0
SMALLEST_GUEST = 128 * 1024 * 1024
EMULATOR_RESERVE = 192 * 1024 * 1024  # TCG's cache of translated code, and what QEMU takes more for it
CLEAN_BYTES = 1024 * 1024  # "near zero": background noise of a host that does nothing else
CLEAN_LIMIT_S = 30.0
QUIET_BUSY = 0.10  # of one CPU-second per second and CPU
QUIET_WINDOW_S = 0.1
WEAR = "disk.device."
CONNTRACK = Path("/proc/sys/net/netfilter/nf_conntrack_max")
DROP_CACHES = Path("/proc/sys/vm/drop_caches")


@dataclass(frozen=True, slots=True)
class Opening:
    """What a device is opened with."""

    study: Study
    images: GuestImages
    environments: Sequence[Environment]
    ledger: Ledger


class LinuxDevice(Device):
    """See `opening.open_device`."""

    def __init__(self, opening: Opening, sets: CpuSets, volume: Volume, peer: Peer | None) -> None:
        study = opening.study
        self.opening = opening
        self.power = study.power
        self.sets = sets
        cpus = sets.environment
        self.limits = Limits(len(cpus), cpus, study.limits.memory_bytes, study.limits.host_cache_bytes)
        self.volume = volume
        self.peer = peer
        self.control = ""  # the control interface
        self.start_c: float | None = None  # the hottest zone before the first boot
        self.held_facts: tuple[Fact, ...] = ()  # of the knobs and the kernel's own work, while they are held
        self.site = Site(
            data_dir="/data",
            logical_block=logical_block(volume.tested),
            peer=peer.address if peer else "",
            peer_port=peer.port if peer else 0,
            smoke=opening.study.smoke,
            absent=absent_programs(study.points, opening.images),
        )

    def facts(self) -> tuple[Fact, ...]:
        peer = self.peer.facts() if self.peer else ()
        images = tuple(Fact(f"images.{name}", value) for name, value in self.opening.images.hashes.items())
        return (
            *machine_facts(),
            *volume_facts(self.volume.tested),
            *open_volume_facts(self.volume),
            *self.held_facts,
            *self.sets.facts(),
            *images,
            *peer,
            *instrument_facts(self.volume.tested, self.control),
            Fact("limits.memory_bytes", self.limits.memory_bytes),
            Fact("limits.budget", self.opening.study.limits.budget),
            Fact("limits.cpus", self.limits.cpus),
            Fact("limits.host_cache_bytes", self.limits.host_cache_bytes),
            Fact("network.path", self.opening.study.network_path),
            Fact("network.conntrack", CONNTRACK.exists()),
            Fact("network.control", self.control),
            *kernel_facts(self.opening.images),
        )

    def calibrate(self) -> tuple[Fact, ...]:
        facts: list[Fact] = []
        wanted = self.opening.study.flash.precondition
        conditioned = self.volume.precondition(self.opening.ledger) if wanted else 0
        facts.append(Fact("flash.preconditioned_bytes", conditioned))
        with self.volume.fresh_directory("calibration", self.opening.ledger) as directory:
            facts.extend(limit_facts(directory))
        if self.peer and self.peer.chroot is None:
            facts.extend(wire_facts(self.opening.study.peer, self.opening.images.userland))
        return tuple(facts)

    def wear_facts(self) -> tuple[Fact, ...]:
        return tuple(fact for fact in volume_facts(self.volume.tested) if fact.name.startswith(WEAR))

    def written_bytes(self) -> int:
        return disk_written_bytes(Path(self.opening.study.volume.path))

    def settle(self) -> tuple[Fact, ...]:
        pace = self.opening.study.pace
        time.sleep(pace.settle_s)
        waited = self.cool(pace.cool_within_c, pace.cool_limit_s)
        deadline = time.monotonic() + pace.settle_limit_s
        busy = busy_fraction(QUIET_WINDOW_S)
        while busy > QUIET_BUSY and time.monotonic() < deadline:
            busy = busy_fraction(QUIET_WINDOW_S)
        return (
            Fact("settle.busy_fraction", round(busy, 4)),
            Fact("settle.temperature_c", hottest()),
            Fact("settle.cooled_s", round(waited, 3)),
        )

    def cool(self, within_c: float, limit_s: float) -> float:
        """Wait until the device is within `within_c` of its first boot's temperature; return the seconds waited."""
        t0 = time.monotonic()
        now = hottest()
        if self.start_c is None:
            self.start_c = now
        while now is not None and self.start_c is not None and now > self.start_c + within_c:
            if time.monotonic() - t0 > limit_s:
                break
            time.sleep(0.5)
            now = hottest()
        return time.monotonic() - t0

    @contextmanager
    def boot(self, environment: Environment, how: BootStart) -> Iterator[Instance]:
        ledger, number = self.opening.ledger, how.number
        with ExitStack() as stack:
            directory = RUN_DIRECTORY / f"b{number}"
            stack.enter_context(ledger.undone(Act("tree", {"path": str(directory)})))
            directory.mkdir(parents=True)
            connection = stack.enter_context(self.connection(environment, how))
            cgroup = Cgroup(f"{PARENT}/b{number}")
            stack.enter_context(ledger.undone(Act("cgroup", {"name": cgroup.name})))
            cgroup.create()
            cgroup.set_cpus(self.limits.cpu_set)
            if not environment.guest_kernel:  # a VMM is capped once its guest's memory has been touched
                cgroup.set_memory(self.limits.memory_bytes)
            volume = stack.enter_context(self.fresh_volume(environment, number))
            limits, cap = self.budget(environment, how.emulated)
            context = BootContext(
                name=f"b{number}",
                limits=limits,
                volume=volume,
                connection=connection,
                images=self.opening.images,
                cgroup=cgroup,
                directory=directory,
                ledger=ledger,
                emulated=how.emulated,
                first_sign_s=how.first_sign_s,
                boot_limit_s=how.limit_s,
                host_cpus=tuple(sorted(Cgroup("", cgroup.hierarchy).cpus())),
                vmm_cap_bytes=cap,
                guest_settings=guest_settings(self.volume.tested),
            )
            with environment.boot(context) as instance:
                yield instance
            verify_ended(cgroup)

    def budget(self, environment: Environment, emulated: bool) -> tuple[Limits, int]:
        """Limits inside, and the cap on VMM and guest together (contract §2); a cap of 0 is set by measuring."""
        if self.opening.study.limits.budget == "guest" or not environment.guest_kernel:
            return self.limits, 0
        reserve = environment.vmm_reserve_bytes + (EMULATOR_RESERVE if emulated else 0)
        guest = self.limits.memory_bytes - reserve - self.limits.host_cache_bytes
        if guest < SMALLEST_GUEST:
            total = self.limits.memory_bytes >> 20
            raise BootFailed("memory budget", f"{total} MiB in all leave the guest {guest >> 20} MiB")
        return replace(self.limits, memory_bytes=guest), self.limits.memory_bytes

    @contextmanager
    def fresh_volume(self, environment: Environment, number: int) -> Iterator[Path]:
        """The volume as this kind takes it."""
        if environment.storage is Storage.DISK:
            with self.volume.fresh_disk() as path:
                yield path
        else:
            with self.volume.fresh_directory(f"b{number}", self.opening.ledger) as path:
                yield path

    @contextmanager
    def connection(self, environment: Environment, how: BootStart) -> Iterator[Connection]:
        """The network as this kind takes it."""
        ledger = self.opening.ledger
        kind = environment.attachment
        if kind in (Attachment.HOST, Attachment.OWN):
            yield Connection(kind, network.BRIDGE_ADDRESS, network.PREFIX, "", "", "", "")
            return
        make = network.namespace_port if kind is Attachment.NAMESPACE else network.tap_port
        with make(how.number, ledger, how.variation.mac) as port:
            if not self.sets.shared:
                steer_packets(port.interface, self.sets.kernel)
            yield Connection(
                kind, port.address, network.PREFIX, network.BRIDGE_ADDRESS, port.mac, port.interface, port.namespace
            )

    def flush(self) -> int:
        self.sync()
        DROP_CACHES.write_text("3", encoding="ascii")
        deadline = time.monotonic() + CLEAN_LIMIT_S
        while dirty_bytes() > CLEAN_BYTES and time.monotonic() < deadline:
            time.sleep(0.01)
        return dirty_bytes()

    def rest_after_write(self) -> None:
        time.sleep(self.opening.study.flash.idle_after_write_s)

    def sync(self) -> None:
        run(["sync"], timeout_s=SYNC_LIMIT_S)

    @contextmanager
    def watch(self, footprint: Footprint) -> Iterator[Sampler]:
        with Sampler(default_instruments(self.volume.tested, self.control), footprint) as sampler:
            yield sampler

    def peer_use(self) -> PeerUse | None:
        return self.peer.use() if self.peer else None

    def hops(self, footprint: Footprint) -> tuple[Fact, ...]:
        own = next(iter(footprint.interfaces), "")
        roles = {"host_end": own, "bridge": network.BRIDGE if own else ""}
        roles["peer_link"] = network.PEER_LINK if self.peer and self.peer.chroot else ""
        return tuple(Fact(f"path.{role}", hop_in_words(name)) for role, name in roles.items() if name)

    def footprint_bytes(self, footprint: Footprint) -> int:
        return footprint_bytes(footprint)

    def memory_kills(self, footprint: Footprint) -> int:
        return sum(Cgroup(name).memory_kills() for name in footprint.cgroups)

    def environment_cpus(self) -> frozenset[int]:
        return frozenset(self.sets.environment)

    def run_on_peer(self, step: Step) -> Outcome:
        return self.required_peer().run(step)

    def put_on_peer(self, file: FileToPut) -> None:
        self.required_peer().put(file)

    @contextmanager
    def serve_on_peer(self, step: Step) -> Iterator[None]:
        with self.required_peer().serve(step):
            yield

    def required_peer(self) -> Peer:
        """The peer; UserError in a campaign that has none."""
        if self.peer is None:
            raise UserError("this study has no peer", 'set network.peer = "namespace" in the study')
        return self.peer


def verify_ended(cgroup: Cgroup) -> None:
    """UndoFailed when processes of an ended environment live on (they are killed afterwards)."""
    deadline = time.monotonic() + 5.0
    while cgroup.pids() and time.monotonic() < deadline:
        time.sleep(0.01)
    left = sorted(cgroup.pids())
    if left:
        names = [
            Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
            for pid in left
            if Path(f"/proc/{pid}").exists()
        ]
        raise UndoFailed(f"processes outlived their environment: {', '.join(names)}")
