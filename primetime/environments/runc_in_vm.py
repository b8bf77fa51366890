"""runc inside a QEMU guest: an environment built of two, against which Kata's own share can be told.

[environments.runc-in-vm]
cache = "none"          # and qemu's other settings, for the machine
storage = "overlay"     # and runc's, for the container in it
seccomp = "default"

The container uses the guest's own network and has no limits beside the machine's, as Kata's containers do.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from primetime.environments.base import DATA_DIRECTORY, BootContext, ClockOffset, Instance, failing_as
from primetime.environments.bundle import BundlePlan, oci_config
from primetime.environments.chroot import GRACE_S, checked, limited
from primetime.environments.qemu import Qemu, QemuInstance
from primetime.environments.runc import Runc
from primetime.errors import BootFailed, CommandFailed, EnvironmentDied
from primetime.model import Command, Evidence, Fact, Footprint, Outcome, Usability

BOX = "/run/primetime/box"
ROOTFS, STATE, PID, LOG = f"{BOX}/rootfs", f"{BOX}/state", f"{BOX}/pid", f"{BOX}/log"
NAME = "box"
RUNC = ("runc", "--root", STATE, "--log", LOG)
AFTER_READY = "sleep"  # what the first process is called once it has said its line
STEP_LIMIT_S = 120.0
POLL_S = 0.005


class NestedContainer(Instance):
    """A container in a guest: programs run in the container, everything else is asked of the guest."""

    def __init__(self, guest: QemuInstance) -> None:
        self.guest = guest
        self.started_at = guest.started_at

    def run(self, command: Command) -> Outcome:
        variables = [f"--env={name}={value}" for name, value in command.env.items()]
        argv = (*RUNC, "exec", *variables, NAME, *limited(command))
        outcome = self.guest.run(replace(command, argv=argv, timeout_s=command.timeout_s + GRACE_S, env={}))
        if outcome.returncode != 0 and not self.alive():
            raise EnvironmentDied("the container in the guest is gone", self.console())
        return checked(command, outcome)

    def alive(self) -> bool:
        """Ask the runtime in the guest whether the container still runs."""
        state = self.guest.run(Command((*RUNC, "state", NAME), STEP_LIMIT_S))
        return state.returncode == 0 and json.loads(state.stdout)["status"] == "running"

    def footprint(self) -> Footprint:
        return self.guest.footprint()

    def prove_limits(self) -> tuple[Fact, ...]:
        facts = self.guest.prove_limits()
        seen = int(self.run(Command(("nproc",), STEP_LIMIT_S)).stdout)
        if seen != self.guest.context.limits.cpus:
            raise BootFailed("CPU count", f"{seen} CPUs are seen in the container", self.console())
        return (*facts, Fact("container.network", "the guest's own"), Fact("container.limits", "the guest's own"))

    def evidence(self) -> Evidence:
        return self.guest.evidence()

    def equalise(self) -> tuple[Fact, ...]:
        return self.guest.equalise()

    def clock_offset(self) -> ClockOffset | None:
        return self.guest.clock_offset()

    def cached_bytes(self) -> int:
        return self.guest.cached_bytes()

    def touch_memory(self) -> tuple[Fact, ...]:
        return self.guest.touch_memory()

    def sync(self) -> None:
        self.guest.sync()

    def drop_caches(self) -> None:
        self.guest.drop_caches()

    def dirty_bytes(self) -> int:
        return self.guest.dirty_bytes()

    def console(self) -> bytes:
        return self.guest.console()


class RuncInVm(Qemu):
    """See the module."""

    kind = "runc-in-vm"
    summary = "a container by runc inside a virtual machine by QEMU"
    settings = (*Qemu.settings, *Runc.settings)
    runc_version = ""  # of the one in the guest, once it was asked

    def usable(self) -> Usability:
        found = super().usable()
        return replace(found, versions={**found.versions, "runc": self.runc_version})

    @contextmanager
    def boot(self, context: BootContext) -> Iterator[Instance]:
        with super().boot(context) as guest:
            assert isinstance(guest, QemuInstance)
            with failing_as("container in the guest"):
                self.prepare(context, guest)
            container = NestedContainer(guest)
            container.ready_at = start_inside(guest, time.monotonic() + context.boot_limit_s)
            yield container

    def prepare(self, context: BootContext, guest: QemuInstance) -> None:
        """Mount what runc needs in the guest, and write the bundle. Raises CommandFailed."""
        self.runc_version = do(guest, "runc", "--version").stdout.decode().split()[2]
        do(guest, "mkdir", "--parents", ROOTFS)
        do(guest, "mount", "-t", "cgroup2", "cgroup2", "/sys/fs/cgroup")
        overlay = self.values["storage"] == "overlay"
        if overlay:
            upper, work = f"{DATA_DIRECTORY}/upper", f"{DATA_DIRECTORY}/work"
            do(guest, "mkdir", upper, work)
            layers = f"lowerdir=/,upperdir={upper},workdir={work}"
            do(guest, "mount", "-t", "overlay", "-o", layers, "overlay", ROOTFS)
        else:
            do(guest, "mount", "--bind", "/", ROOTFS)
        plan = BundlePlan(
            context=context,
            root=Path(ROOTFS),
            writable_root=overlay,
            data=None if overlay else Path(DATA_DIRECTORY),
            seccomp=context.images.seccomp if self.values["seccomp"] == "default" else None,
        )
        guest.put(f"{BOX}/config.json", json.dumps(nested_config(plan)).encode())


def nested_config(plan: BundlePlan) -> dict[str, Any]:
    """runc's own bundle, on the guest's network and without limits of its own: the machine has them."""
    config = oci_config(plan)
    linux = config["linux"]
    linux["cgroupsPath"] = f"/{NAME}"
    linux["namespaces"] = [one for one in linux["namespaces"] if one["type"] != "network"]
    del linux["resources"]
    return config


def start_inside(guest: QemuInstance, deadline: float) -> float:
    """Start the container; return the host's CLOCK_MONOTONIC when its first process has said its line."""
    argv = [*RUNC, "run", "--bundle", BOX, "--pid-file", PID, NAME]
    runtime = guest.agent.call("start", STEP_LIMIT_S, argv=argv)["pid"]
    while True:
        pid = (guest.agent.files(STEP_LIMIT_S, (PID,))[PID] or b"").decode()
        paths = (f"/proc/{pid or runtime}/comm", f"/proc/{runtime}/comm")
        names = guest.agent.files(STEP_LIMIT_S, paths)
        if pid and (names[paths[0]] or b"").strip() == AFTER_READY.encode():
            return time.monotonic()
        if names[paths[1]] is None or time.monotonic() > deadline:
            said = guest.agent.files(STEP_LIMIT_S, (LOG,))[LOG] or b"it is not ready in the time allowed"
            raise BootFailed("container in the guest", said.decode(errors="replace").strip(), guest.console())
        time.sleep(POLL_S)


def do(guest: QemuInstance, *argv: str) -> Outcome:
    """Run a program in the guest that must succeed. Raises CommandFailed."""
    outcome = guest.run(Command(argv, STEP_LIMIT_S))
    if outcome.returncode != 0:
        raise CommandFailed(argv, outcome.returncode, outcome.stderr)
    return outcome
