"""What this device can run, found by trying: behind `doctor`, and before every campaign.

Each environment is booted once with the study's limits and runs `true`. A KVM that opens is not yet KVM:
back ends exist on which an ordinary guest kernel spins forever, so an environment with a guest kernel
is tried with hardware virtualisation first, given little time for a first sign, then under emulation.
On a device that is itself emulated everything that runs is usable, and all its figures are marked.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from primetime.campaign.device import BootStart, Device, boot_start
from primetime.environments.base import Environment
from primetime.errors import BootFailed, CommandFailed, CommandTimeout, EnvironmentDied
from primetime.images.guest import GuestImages
from primetime.model import Command, Point, Usability, Usable
from primetime.workloads import workload

KVM = Path("/dev/kvm")
FIRST_SIGN_S = 15.0
TRY_NUMBER = 60000  # names of trial boots; the boots of a campaign count from 1
COMMAND_LIMIT_S = 30.0
WORKING_KVM = "use a device whose CPU and firmware give Linux a working KVM"
SILENT = "guest kernel: the guest kernel has printed nothing"  # what a KVM that only opens looks like
REAL_DEVICE = "measure on a real device"


def survey(device: Device, environments: Iterable[Environment], tell: Callable[[str], None]) -> dict[str, Usability]:
    """Try every environment; return what was found by label. `tell` hears what is being tried."""
    found: dict[str, Usability] = {}
    emulation = device.emulation()
    for number, environment in enumerate(environments, start=TRY_NUMBER):
        tell(f"trying {environment.spec.label}")
        how = boot_start(number, False, emulation)
        if not emulation:
            how = replace(how, first_sign_s=FIRST_SIGN_S)
        tried = try_environment(device, environment, how)
        found[environment.spec.label] = on_emulated(tried, environment, emulation) if emulation else tried
    return found


def on_emulated(found: Usability, environment: Environment, emulation: str) -> Usability:
    """What a device that is itself emulated adds: what runs here is usable, and none of its figures counts."""
    if found.state is Usable.NO:
        return found
    kvm = "KVM booted a guest" if environment.guest_kernel and not found.tcg else ""
    marked = f"this device is itself emulated ({emulation}), its figures say nothing about speed"
    reason = "; ".join(filter(None, (found.reason, kvm, marked)))
    return replace(found, state=Usable.CAVEAT, emulated=True, reason=reason, remedy=found.remedy or REAL_DEVICE)


def try_environment(device: Device, environment: Environment, how: BootStart) -> Usability:
    """Try one environment, with KVM and without where that is a question. `how`: with KVM."""
    lacking = lacking_of(environment)
    if lacking is not None:
        return lacking
    if not environment.guest_kernel:
        return boot_once(device, environment, how)
    no_kvm = kvm_missing()
    if not no_kvm:
        with_kvm = boot_once(device, environment, how)
        if with_kvm.state is Usable.NO and device.emulation():  # an emulator's KVM loses a guest now and then
            with_kvm = boot_once(device, environment, how)
        # an emulator in an emulator tells nobody anything
        if with_kvm.state is not Usable.NO or device.emulation():
            return with_kvm
        if not environment.emulable:
            return replace(with_kvm, remedy=WORKING_KVM) if with_kvm.reason.startswith(SILENT) else with_kvm
        no_kvm = f"/dev/kvm opens, but a guest does not run on it ({with_kvm.reason})"
    if not environment.emulable:
        return Usability(environment.kind, Usable.NO, f"it needs KVM: {no_kvm}", WORKING_KVM)
    emulated = boot_once(device, environment, replace(how, emulated=True, first_sign_s=how.limit_s))
    if emulated.state is Usable.NO:
        return replace(emulated, reason=f"{no_kvm}; emulated: {emulated.reason}")
    return replace(
        emulated,
        state=Usable.CAVEAT,
        emulated=True,
        tcg=True,
        reason=f"{no_kvm}: emulated by TCG, its figures say nothing about speed",
        remedy=WORKING_KVM,
    )


def lacking_of(environment: Environment) -> Usability | None:
    """What this device lacks; a program that fails or hangs when it is asked is no use, and costs no other kind."""
    try:
        return environment.missing()
    except (CommandFailed, CommandTimeout) as error:
        return Usability(environment.kind, Usable.NO, error.message)


def boot_once(device: Device, environment: Environment, how: BootStart) -> Usability:
    """Boot, prove the limits and run `true`; name the step that failed."""
    try:
        with device.boot(environment, how) as instance:
            instance.prove_limits()
            outcome = instance.run(Command(("true",), COMMAND_LIMIT_S))
            if outcome.returncode != 0:
                return Usability(environment.kind, Usable.NO, f"`true` ended with exit code {outcome.returncode}")
            return environment.usable()
    except (BootFailed, EnvironmentDied, CommandFailed, CommandTimeout) as error:
        return Usability(environment.kind, Usable.NO, error.message)


def absent_programs(points: Iterable[Point], images: GuestImages) -> frozenset[str]:
    """Return the programs that points need and that this userland does not have."""
    wanted = {name for point in points for name in workload(point.workload).programs(point)}
    return frozenset(name for name in wanted if not images.has(name))


def kvm_missing() -> str:
    """Say why hardware virtualisation cannot even be tried; "" when it can, or when only root could tell."""
    if not KVM.exists():
        return "there is no /dev/kvm"
    if os.geteuid() == 0 and not os.access(KVM, os.R_OK | os.W_OK):
        return "/dev/kvm may not be opened"
    return ""
