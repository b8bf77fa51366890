"""WHAT ISOLATES: the registry of environments; a member is imported when it is asked for."""

from __future__ import annotations

from importlib import import_module

from primetime.environments.base import Environment
from primetime.errors import UserError
from primetime.model import EnvironmentSpec

MEMBERS = {
    "native": ("primetime.environments.native", "Native"),
    "kata": ("primetime.environments.kata", "Kata"),
    "runc-in-vm": ("primetime.environments.runc_in_vm", "RuncInVm"),
    "runc": ("primetime.environments.runc", "Runc"),
    "crun": ("primetime.environments.crun", "Crun"),
    "containerd-runc": ("primetime.environments.containerd_runc", "ContainerdRunc"),
    "docker": ("primetime.environments.docker", "Docker"),
    "gvisor": ("primetime.environments.gvisor", "Gvisor"),
    "qemu": ("primetime.environments.qemu", "Qemu"),
    "qemu-microvm": ("primetime.environments.qemu_microvm", "QemuMicrovm"),
    "firecracker": ("primetime.environments.firecracker", "Firecracker"),
    "cloud-hypervisor": ("primetime.environments.cloud_hypervisor", "CloudHypervisor"),
    "fake": ("primetime.environments.fake", "FakeEnvironment"),
}


def kinds() -> tuple[str, ...]:
    """The kinds that users may name."""
    return tuple(kind for kind in MEMBERS if kind != "fake")


def environment_class(kind: str) -> type[Environment]:
    """Return the member for `kind`; UserError when there is none."""
    if kind not in MEMBERS:
        raise UserError(f"unknown environment kind {kind!r}", f"known kinds: {', '.join(kinds())}")
    module, name = MEMBERS[kind]
    member: type[Environment] = getattr(import_module(module), name)
    return member


def environment(spec: EnvironmentSpec) -> Environment:
    """Return the environment that `spec` describes, its settings checked."""
    return environment_class(spec.kind)(spec)
