"""The seam of every isolation technology: an Environment boots an Instance, an Instance runs programs.

A member is one short file: a subclass with its `kind`, its settings and `boot`. Its docstring is its
study-file example. The registry (`environments/__init__.py`) imports it when it is asked for.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import ClassVar, NamedTuple

from primetime.errors import BootFailed, CommandFailed, CommandTimeout, UserError
from primetime.host.cgroup import Cgroup
from primetime.host.ledger import Ledger
from primetime.images.guest import GuestImages
from primetime.model import Command, EnvironmentSpec, Evidence, Fact, Footprint, Limits, Outcome, Scalar, Usability
from primetime.model.toml_table import wanted

DATA_DIRECTORY = "/data"  # where the volume is, inside every environment
BYPASSES = "bypasses_host_cache"  # the fact: what a member says of itself, and what a boot proved
READY_LINE = "primetime-ready"  # printed by the first process of the userland (images/data/ready)
FILE_LIMIT_S = 60.0
BOOT_LIMIT_S = 120.0  # domain.md J: ready times triple under host load


class Storage(StrEnum):
    """In which form an environment takes the volume."""

    DIRECTORY = "directory"
    DISK = "disk"


class Attachment(StrEnum):
    """How an environment is connected."""

    HOST = "host"  # the host's own network
    NAMESPACE = "namespace"  # a network namespace with a veth in the bridge
    TAP = "tap"  # a tap device in the bridge
    OWN = "own"  # a network that the environment's engine makes itself


@dataclass(frozen=True, slots=True)
class Setting:
    """One key that a study file may give an environment. The default's type is the value's type.

    `breaks`: values that switch a rule of the contract off. They are named variants, printed with every figure.
    """

    name: str
    default: Scalar
    choices: tuple[Scalar, ...]  # empty: any value of the type
    help: str
    breaks: tuple[Scalar, ...] = ()


@dataclass(frozen=True, slots=True)
class Connection:
    """The network of one boot. Addresses are IPv4; `interface` is the host's end (veth or tap), "" for host and own."""

    attachment: Attachment
    address: str
    prefix: int
    gateway: str
    mac: str
    interface: str
    namespace: str  # name under `ip netns`; "" unless attachment is NAMESPACE


@dataclass(frozen=True, slots=True)
class BootContext:
    """Everything one boot may use. All of it is in the ledger already, except what `boot` itself makes."""

    name: str  # unique on this device, [a-z0-9-]+, at most 20 characters
    limits: Limits
    volume: Path  # a fresh directory, or a fully written file with a fresh ext4, by `Environment.storage`
    connection: Connection
    images: GuestImages
    cgroup: Cgroup  # made, with the limits of `limits` set where the kind wants it; children are put there
    directory: Path  # private scratch of this boot (sockets, bundles, console), removed afterwards
    ledger: Ledger
    emulated: bool  # the survey found no hardware virtualisation: use TCG
    first_sign_s: float = BOOT_LIMIT_S  # how long to wait for a guest kernel's first output
    boot_limit_s: float = BOOT_LIMIT_S
    host_cpus: tuple[int, ...] = ()  # every CPU of the host: what a VMM's own threads may use with vmm_outside
    vmm_cap_bytes: int = 0  # what VMM and guest may take together; 0: guest memory and the measured overhead
    guest_settings: Mapping[str, str] = field(default_factory=dict)  # files of a guest kernel → value, as on the host


class ClockOffset(NamedTuple):
    """A guest's clock less the host's, in seconds, and how far that may be from the truth on either side."""

    offset_s: float
    within_s: float


class Instance(ABC):
    """A booted environment. `started_at`, `ready_at`: host CLOCK_MONOTONIC seconds (contract §9)."""

    started_at: float
    ready_at: float

    @abstractmethod
    def run(self, command: Command) -> Outcome:
        """Run a program inside, to its end. Raises CommandTimeout, EnvironmentDied, CommandFailed never."""

    def put(self, path: str, content: bytes) -> None:
        """Write a file inside, below the data directory or /tmp. Raises CommandFailed."""
        argv = ("tee", path)
        outcome = self.run(Command(argv, FILE_LIMIT_S, stdin=content))
        if outcome.returncode != 0:
            raise CommandFailed(argv, outcome.returncode, outcome.stderr)

    def get(self, path: str) -> bytes:
        """Read a file from inside. Raises CommandFailed."""
        argv = ("cat", path)
        outcome = self.run(Command(argv, FILE_LIMIT_S))
        if outcome.returncode != 0:
            raise CommandFailed(argv, outcome.returncode, outcome.stderr)
        return outcome.stdout

    @abstractmethod
    def footprint(self) -> Footprint:
        """Return what of the host belongs to this instance."""

    @abstractmethod
    def prove_limits(self) -> tuple[Fact, ...]:
        """Show from inside (or from the limit's own file) that the limits hold; BootFailed when they do not."""

    def evidence(self) -> Evidence:
        """Return the isolation layer's own counters since the boot, by dotted name; empty where it has none."""
        return {}

    def records(self) -> Mapping[str, bytes]:
        """Return what the isolation layer wrote of itself since this was asked last, by name, as it wrote it."""
        return {}

    def equalise(self) -> tuple[Fact, ...]:
        """Give a guest kernel the host's settings that change figures; facts of what it took. Nothing without one."""
        return ()

    def clock_offset(self) -> ClockOffset | None:
        """Return the guest's CLOCK_MONOTONIC less the host's; None where it is the same clock."""
        return None

    def cached_bytes(self) -> int:
        """Return the guest's page cache in bytes; 0 where it is the host's."""
        return 0

    def touch_memory(self) -> tuple[Fact, ...]:
        """Touch all guest memory once and cap the VMM (contract §2); nothing to do without a guest kernel."""
        return ()

    def sync(self) -> None:
        """Write the guest's dirty pages to its disk; nothing to do where the kernel is the host's."""

    def drop_caches(self) -> None:
        """Drop the guest's page cache; nothing to do where the kernel is the host's."""

    def dirty_bytes(self) -> int:
        """Return the guest's Dirty + Writeback bytes; 0 where the kernel is the host's."""
        return 0

    def console(self) -> bytes:
        """Return the console's last 64 KiB."""
        return b""


class Environment(ABC):
    """One isolation technology with its settings, checked and filled in."""

    kind: ClassVar[str]
    summary: ClassVar[str]
    storage: ClassVar[Storage]
    attachment: Attachment
    settings: ClassVar[tuple[Setting, ...]] = ()
    own_network: ClassVar[str] = ""  # what a network of Attachment.OWN is called (contract §4)
    guest_kernel: ClassVar[bool] = False  # it boots a kernel of its own
    emulable: ClassVar[bool] = False  # that kernel can also run without hardware virtualisation
    vmm_reserve_bytes: ClassVar[int] = 0  # what its VMM needs beside guest memory under budget = "total"

    def __init__(self, spec: EnvironmentSpec) -> None:
        self.spec = spec
        self.values = check_settings(type(self), spec)

    def printed_name(self) -> str:
        """The name in tables: the label, with what a reader must know beside it."""
        beside = (*self.notes(), *(f"{name}={value}" for name, value in self.variants().items()))
        return f"{self.spec.label} ({', '.join(beside)})" if beside else self.spec.label

    def notes(self) -> tuple[str, ...]:
        """What a member wants to have beside its label."""
        return ()

    def variants(self) -> dict[str, str]:
        """The settings that switch a rule of the contract off, as a study file says them."""
        broken = ((one.name, self.values[one.name]) for one in self.settings if self.values[one.name] in one.breaks)
        return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in broken}

    @abstractmethod
    def bypasses_host_cache(self) -> bool | None:
        """Whether O_DIRECT inside goes past the host's page cache, with these settings; None: only a boot can show it.

        An instance that sees how its disk was opened says so in a fact of the boot, which counts more.
        """

    def pool_bytes(self) -> int:
        """Size of the pool that every boot makes on the volume, with a copy of the userland in it; 0 without one."""
        return 0

    @abstractmethod
    def missing(self) -> Usability | None:
        """Say what this device lacks, without booting; None when it is worth trying."""

    @abstractmethod
    def boot(self, context: BootContext) -> AbstractContextManager[Instance]:
        """Boot a fresh instance and end it with the block. Raises BootFailed with the step that failed."""

    @abstractmethod
    def usable(self) -> Usability:
        """What is said when a boot has succeeded: the versions."""


def check_settings(member: type[Environment], spec: EnvironmentSpec) -> dict[str, Scalar]:
    """Return all settings of `member` with the study's values; UserError for an unknown or impossible one."""
    known = {setting.name: setting for setting in member.settings}
    for name, value in spec.settings.items():
        where = f'environment "{spec.label}" ({spec.kind})'
        if name not in known:
            raise UserError(f"{where}: unknown setting {name!r}", f"known settings: {', '.join(known) or 'none'}")
        setting = known[name]
        if type(value) is not type(setting.default):
            raise UserError(f"{where}: {name} must be {wanted(setting.default)}, not {value!r}", setting.help)
        if not isinstance(value, str) and value < 0:
            raise UserError(f"{where}: {name} cannot be negative", setting.help)
        if setting.choices and value not in setting.choices:
            allowed = ", ".join(str(choice) for choice in setting.choices)
            raise UserError(f"{where}: {name} cannot be {value!r}", f"choose one of: {allowed}")
    return {name: spec.settings.get(name, setting.default) for name, setting in known.items()}


@contextmanager
def failing_as(step: str) -> Iterator[None]:
    """Name the boot step that failed: CommandFailed and OSError inside become BootFailed(step, …)."""
    try:
        yield
    except (CommandFailed, CommandTimeout, OSError) as error:
        raise BootFailed(step, str(error)) from error
