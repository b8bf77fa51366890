"""What every environment with a guest kernel shares: an Instance that works through the agent."""

from __future__ import annotations

import time
from abc import abstractmethod
from base64 import b64decode
from pathlib import Path

from primetime.environments.agent import AgentClient
from primetime.environments.base import FILE_LIMIT_S, BootContext, ClockOffset, Instance
from primetime.errors import BootFailed, CommandFailed, CommandTimeout, EnvironmentDied
from primetime.host.memory import parse_meminfo, unwritten_bytes
from primetime.model import Command, Fact, Outcome

ANSWER_LIMIT_S = 60.0  # a guest under load on a loaded host; beyond it, it hangs
SYNC_LIMIT_S = 600.0
TOUCH_BYTES_PER_S = 20e6  # what even an emulated guest touches
CONSOLE_TAIL = 64 * 1024
KERNEL_RESERVE = 64 * 1024 * 1024  # a kernel's own image and tables, which MemTotal does not count
VMM_SLACK = 32 * 1024 * 1024  # on top of what the VMM was seen to need
CLOCK_ROUNDS = 5
BOOT_ID = "/proc/sys/kernel/random/boot_id"
ONLINE = "/sys/devices/system/cpu/online"
RELEASE = "/proc/sys/kernel/osrelease"
QUEUE = ("write_cache", "scheduler", "rotational", "read_ahead_kb")
DISKS = ("vda", "vdb")


class GuestInstance(Instance):
    """A guest with our agent. A member adds its VMM: footprint, evidence, and what `exited` says of it."""

    def __init__(self, context: BootContext, agent: AgentClient, console: Path) -> None:
        self.context = context
        self.agent = agent
        self.console_path = console
        self.vmm_growth_bytes = 0  # what the VMM may still take after its memory was measured
        self.charged_bytes = context.limits.memory_bytes  # what of the guest's memory its cgroup is charged with

    @abstractmethod
    def exited(self) -> str:
        """Say why the VMM has ended; "" while it runs."""

    def run(self, command: Command) -> Outcome:
        t0 = time.monotonic()
        try:
            answer = self.agent.run(command, ANSWER_LIMIT_S)
        except EnvironmentDied as error:
            raise self.died(error) from None
        t1 = time.monotonic()
        stdout, stderr = b64decode(answer["stdout"]), b64decode(answer["stderr"])
        if answer["timed_out"]:
            raise CommandTimeout(command.argv, command.timeout_s, stdout, stderr)
        return Outcome(answer["rc"], stdout, stderr, t0, t1)

    def put(self, path: str, content: bytes) -> None:
        self.agent.put(FILE_LIMIT_S, path, content)

    def get(self, path: str) -> bytes:
        content = self.agent.files(FILE_LIMIT_S, (path,))[path]
        if content is None:
            raise CommandFailed(("get", path), 1, b"no such file")
        return content

    def sync(self) -> None:
        self.request("sync", SYNC_LIMIT_S)

    def drop_caches(self) -> None:
        self.request("drop", ANSWER_LIMIT_S)

    def request(self, operation: str, limit_s: float) -> dict[str, object]:
        """One of the agent's own operations; a guest that is gone leaves its console."""
        try:
            return self.agent.call(operation, limit_s)
        except EnvironmentDied as error:
            raise self.died(error) from None

    def died(self, error: EnvironmentDied) -> EnvironmentDied:
        """Say why the guest is gone: the VMM's own reason, else what was noticed."""
        return EnvironmentDied(self.exited() or error.reason, self.console())

    def dirty_bytes(self) -> int:
        return unwritten_bytes(parse_meminfo(self.get("/proc/meminfo")))

    def console(self) -> bytes:
        return self.console_path.read_bytes()[-CONSOLE_TAIL:] if self.console_path.exists() else b""

    def prove_limits(self) -> tuple[Fact, ...]:
        queues = {f"{disk}.{name}": f"/sys/block/{disk}/queue/{name}" for disk in DISKS for name in QUEUE}
        own = ("/proc/meminfo", "/proc/self/status", BOOT_ID, ONLINE, RELEASE)
        content = self.agent.files(ANSWER_LIMIT_S, (*own, *queues.values()))
        said = {path: (text or b"").decode("ascii", "replace").strip() for path, text in content.items()}
        memory = self.prove_memory(parse_meminfo((content["/proc/meminfo"]) or b"")["MemTotal"])
        cpus = count_cpus(said[ONLINE])
        if cpus != self.context.limits.cpus:
            raise BootFailed(
                "CPU count", f"{cpus} CPUs are seen inside, not {self.context.limits.cpus}", self.console()
            )
        if said[BOOT_ID] == Path(BOOT_ID).read_text(encoding="ascii").strip():
            raise BootFailed("guest kernel", "the boot_id inside is the host's: this is no guest", self.console())
        return (
            Fact("limits.memory_bytes", self.context.limits.memory_bytes),
            Fact("limits.memory_inside", memory),
            Fact("limits.cpus_inside", cpus),
            Fact("limits.cpu_set", ",".join(str(cpu) for cpu in self.context.limits.cpu_set)),
            Fact("guest.kernel", said[RELEASE]),
            Fact("guest.agent_bytes", resident_bytes(said["/proc/self/status"])),
            *(Fact(f"guest.{name}", said[path]) for name, path in queues.items() if content[path] is not None),
            *self.clock_facts(),
        )

    def prove_memory(self, seen: int) -> int:
        """Return the guest's MemTotal; BootFailed unless it is the limit less what a kernel keeps for itself."""
        limit = self.context.limits.memory_bytes
        if not plausible_memory(seen, limit):
            raise BootFailed("memory limit", f"{seen} bytes are seen inside, not about {limit}", self.console())
        return seen

    def clock_facts(self) -> tuple[Fact, ...]:
        """The guest's CLOCK_MONOTONIC less the host's, and how well that is known."""
        offset, within = self.clock_offset()
        return (Fact("guest.clock_offset_s", offset), Fact("guest.clock_round_trip_s", 2 * within))

    def clock_offset(self) -> ClockOffset:
        """The quickest of a few answers tells most exactly: the guest's stamp lies somewhere in its round trip."""
        best = ClockOffset(0.0, float("inf"))
        for _ in range(CLOCK_ROUNDS):
            t0 = time.monotonic()
            answer = self.agent.call("get", ANSWER_LIMIT_S, paths=[])
            t1 = time.monotonic()
            found = ClockOffset(answer["mono"] - (t0 + t1) / 2, (t1 - t0) / 2)
            best = min(best, found, key=lambda one: one.within_s)
        return best

    def equalise(self) -> tuple[Fact, ...]:
        facts = []
        for path, value in self.context.guest_settings.items():
            outcome = self.run(Command(("tee", path), FILE_LIMIT_S, value.encode()))
            taken = self.get(path).decode("ascii", "replace").strip()
            name = path.removeprefix("/proc/sys/").removeprefix("/sys/block/").replace("/queue/", ".").replace("/", ".")
            facts.append(Fact(f"guest.{name}", taken if outcome.returncode == 0 else f"{taken} ({value} refused)"))
        return tuple(facts)

    def cached_bytes(self) -> int:
        return parse_meminfo(self.get("/proc/meminfo"))["Cached"]

    def touch_memory(self) -> tuple[Fact, ...]:
        limits, cgroup = self.context.limits, self.context.cgroup
        limit_s = ANSWER_LIMIT_S + limits.memory_bytes / TOUCH_BYTES_PER_S
        touched = self.request("touch", limit_s)["touched_bytes"]
        overhead = max(0, cgroup.memory()["anon"] - self.charged_bytes)
        caps = cap_vmm(self.context, self.charged_bytes + overhead, overhead, VMM_SLACK + self.vmm_growth_bytes)
        return (Fact("guest.touched_bytes", int(str(touched))), *caps)


def plausible_memory(seen: int, limit: int) -> bool:
    """Whether a guest's MemTotal is the limit less what a kernel keeps for itself."""
    return limit - max(limit // 10, KERNEL_RESERVE) <= seen <= limit


def cap_vmm(context: BootContext, used: int, overhead: int, slack: int) -> tuple[Fact, ...]:
    """Cap VMM and guest together (contract §2), all guest memory being touched. Bytes. Raises BootFailed.

    `used`: what both take of the cgroup by now, of that `overhead` beside the guest's memory; `slack`: on top.
    """
    limits, cgroup = context.limits, context.cgroup
    wanted = context.vmm_cap_bytes or used + slack + limits.host_cache_bytes
    cgroup.set_memory(wanted)
    cap = cgroup.memory()["limit"]
    if not wanted - 2**16 <= cap <= wanted:  # the kernel rounds to pages
        raise BootFailed("VMM memory cap", f"the cgroup allows {cap} bytes, not {wanted}")
    return (
        Fact("limits.vmm_overhead_bytes", overhead),
        Fact("limits.vmm_slack_bytes", slack),
        Fact("limits.vmm_cap_bytes", cap),
        Fact("limits.host_cache_bytes", limits.host_cache_bytes),
    )


def resident_bytes(status: str) -> int:
    """Return VmRSS of a /proc/<pid>/status, in bytes."""
    for line in status.splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def count_cpus(ranges: str) -> int:
    """Return how many CPUs a list like "0-2,4" names."""
    parts = [part.split("-") for part in ranges.split(",") if part]
    return sum(int(part[-1]) - int(part[0]) + 1 for part in parts)
