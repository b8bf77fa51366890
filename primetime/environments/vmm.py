"""What Firecracker and cloud-hypervisor share: a program that no distribution packages, KVM only, an agent by vsock."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import ClassVar

from primetime.environments.agent import AgentClient
from primetime.environments.base import Attachment, BootContext, Environment, Instance, Setting, Storage
from primetime.environments.guest import GuestInstance
from primetime.environments.known_bad import Trouble, dotted
from primetime.environments.microvm_host import huge_bytes
from primetime.environments.vmm_program import VmmProgram, find_vmm
from primetime.environments.watching import BootWatch
from primetime.errors import BootFailed, UserError
from primetime.host.hypervisor import HypervisorHost, Version, hypervisor_host
from primetime.model import EnvironmentSpec, Footprint, Usability, Usable

BINARY = Setting("binary", "", (), "the whole path of a program of your own")


class Vmm(Environment):
    """A member adds its settings, which include `binary`, what is known against it, and how it is started."""

    storage = Storage.DISK
    attachment = Attachment.TAP
    guest_kernel = True
    program_name: ClassVar[str]  # also the tool's, by which `primetime tools` knows it
    most_cpus: ClassVar[int]

    def __init__(self, spec: EnvironmentSpec) -> None:
        super().__init__(spec)
        self.program: VmmProgram | None = None  # found by `missing`

    @abstractmethod
    def host_troubles(self, host: HypervisorHost) -> Iterator[Trouble]:
        """Yield what is known against any version of the program, with these settings, on a host."""

    def version_troubles(self, host: HypervisorHost, version: Version) -> Iterator[Trouble]:  # noqa: ARG002
        """Yield what is known against this version; nothing by default."""
        yield from ()

    @abstractmethod
    def start(self, context: BootContext, stack: ExitStack) -> GuestInstance:
        """Start it and wait until the guest is ready and its agent answers. Raises BootFailed."""

    def missing(self) -> Usability | None:
        host = hypervisor_host()
        try:
            troubles = [trouble for trouble in self.host_troubles(host) if trouble.fatal]  # no program mends these
            troubles = troubles or [trouble for trouble in self.troubles() if trouble.fatal]
        except UserError as error:
            return Usability(self.kind, Usable.NO, error.message, error.hint)
        return Usability(self.kind, Usable.NO, troubles[0].reason, troubles[0].remedy) if troubles else None

    def troubles(self) -> tuple[Trouble, ...]:
        """What is known against this program with these settings on this host. UserError without a program."""
        host = hypervisor_host()
        return (*self.version_troubles(host, self.found().version), *self.host_troubles(host))

    def found(self) -> VmmProgram:
        """The program, looked for once. UserError when there is none that starts here."""
        if self.program is None:
            self.program = find_vmm(self.program_name, str(self.values["binary"]))
        if self.program is None:
            raise UserError(f"{self.program_name} is not installed", f"primetime tools install {self.program_name}")
        return self.program

    def usable(self) -> Usability:
        program = self.found()
        versions = {self.program_name: dotted(program.version)}
        caveats = self.troubles()  # the fatal ones were refused
        if not caveats:
            return Usability(self.kind, Usable.YES, versions=versions)
        reason = "; ".join(trouble.reason for trouble in caveats)
        return Usability(self.kind, Usable.CAVEAT, reason, caveats[0].remedy, versions)

    @contextmanager
    def boot(self, context: BootContext) -> Iterator[Instance]:
        if context.emulated:
            raise BootFailed("KVM", f"{self.program_name} runs with KVM only")
        if context.limits.cpus > self.most_cpus:
            words = f"{self.program_name} has at most {self.most_cpus}, not {context.limits.cpus}"
            raise BootFailed("vCPUs", words)
        with ExitStack() as stack:
            instance = self.start(context, stack)
            yield instance
            instance.sync()  # its data on the disk; then the process door ends the program


class MicrovmInstance(GuestInstance):
    """A guest in one process of one cgroup. `huge`: its memory lies on huge pages, which its cgroup is not charged."""

    def __init__(self, context: BootContext, agent: AgentClient, watch: BootWatch, huge: bool) -> None:
        super().__init__(context, agent, watch.console)
        self.watch = watch
        self.huge = huge
        if huge:
            self.charged_bytes = 0

    def exited(self) -> str:
        return self.watch.exited_soon()

    def footprint(self) -> Footprint:
        interface = self.context.connection.interface
        return Footprint(
            cgroups=(self.context.cgroup.name,),
            interfaces=(interface,) if interface else (),
            guest_touched_bytes=huge_bytes(self.context.cgroup.pids()) if self.huge else 0,
        )
