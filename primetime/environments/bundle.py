"""The OCI bundle's config.json: what users' containers get by default (contract §1).

Capabilities, masked and read-only paths are the defaults that Docker and Podman document; the seccomp
profile is the distribution's, translated from the format of containers/common to the runtime's.
Source: opencontainers/runtime-spec config.md, config-linux.md.
"""

from __future__ import annotations

import json
import platform
import resource
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from primetime.environments.base import DATA_DIRECTORY, Attachment, BootContext
from primetime.host.process import SEARCH_PATH

VARIABLES = {"PATH": SEARCH_PATH, "LANG": "C.UTF-8", "HOME": "/root"}  # of every process inside
CAPABILITIES = [
    "CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
]  # fmt: skip
MASKED = [
    "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug",
    "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/firmware",
]  # fmt: skip
READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
SECCOMP_ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}
OPEN_FILES = 65536


@dataclass(frozen=True, slots=True)
class BundlePlan:
    """What differs between bundles. `data` is mounted at the data directory unless it lies in the root."""

    context: BootContext
    root: Path
    writable_root: bool
    data: Path | None
    seccomp: Path | None


def oci_config(plan: BundlePlan) -> dict[str, Any]:
    """Return config.json's content."""
    context = plan.context
    linux: dict[str, Any] = {
        "cgroupsPath": f"/{context.cgroup.name}/container",
        "namespaces": [
            {"type": "pid"},
            {"type": "ipc"},
            {"type": "uts"},
            {"type": "mount"},
            *network_namespace(context),
        ],
        "resources": {"memory": {"limit": context.limits.memory_bytes}, "cpu": {"cpus": cpu_list(context)}},
        "maskedPaths": MASKED,
        "readonlyPaths": READ_ONLY,
    }
    if plan.seccomp is not None:
        profile = json.loads(plan.seccomp.read_text(encoding="utf-8"))
        linux["seccomp"] = translate_seccomp(profile, platform.machine())
    return {
        "ociVersion": "1.0.2",
        "process": process(),
        "root": {"path": str(plan.root), "readonly": not plan.writable_root},
        "hostname": context.name,
        "mounts": mounts(plan),
        "linux": linux,
    }


def network_namespace(context: BootContext) -> list[dict[str, str]]:
    """The namespace that the boot's network made; none where the container has the host's own network."""
    if context.connection.attachment is Attachment.HOST:
        return []
    return [{"type": "network", "path": f"/run/netns/{context.connection.namespace}"}]


def cpu_list(context: BootContext) -> str:
    """The CPU set in the kernel's list form."""
    return ",".join(str(cpu) for cpu in context.limits.cpu_set)


def process() -> dict[str, Any]:
    """The first process: it prints the ready stamp and then only keeps the container alive."""
    sets = ("bounding", "effective", "permitted")
    files = min(OPEN_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    return {
        "terminal": False,
        "user": {"uid": 0, "gid": 0},
        "args": ["/usr/lib/primetime/ready", "sleep", "infinity"],
        "env": [f"{name}={value}" for name, value in VARIABLES.items()],
        "cwd": "/",
        "capabilities": dict.fromkeys(sets, CAPABILITIES),
        "rlimits": [{"type": "RLIMIT_NOFILE", "hard": files, "soft": files}],
        "noNewPrivileges": True,
    }


def mounts(plan: BundlePlan) -> list[dict[str, Any]]:
    """The usual mounts of a container, and the volume."""
    quiet = ["nosuid", "noexec", "nodev"]
    found = [
        mount("/proc", "proc", []),
        mount("/dev", "tmpfs", ["nosuid", "mode=755", "size=65536k"]),
        mount("/dev/pts", "devpts", ["nosuid", "noexec", "newinstance"]),
        mount("/dev/shm", "tmpfs", [*quiet, "mode=1777", "size=65536k"]),
        mount("/sys", "sysfs", [*quiet, "ro"]),
        mount("/tmp", "tmpfs", [*quiet, "mode=1777", "size=65536k"]),
        mount("/run", "tmpfs", [*quiet, "mode=755", "size=65536k"]),
    ]
    if plan.data is not None:
        options = ["rbind", "rw"]
        found.append({"destination": DATA_DIRECTORY, "type": "bind", "source": str(plan.data), "options": options})
    return found


def mount(destination: str, kind: str, options: list[str]) -> dict[str, Any]:
    """One mount of a kernel file system."""
    return {"destination": destination, "type": kind, "source": kind, "options": options}


def translate_seccomp(profile: dict[str, Any], machine: str) -> dict[str, Any]:
    """Translate a containers/common profile: keep the rules whose conditions hold here.

    A rule may be bound to architectures and capabilities (`includes`, `excludes`); the runtime's format
    has no such conditions.
    """
    architecture = SECCOMP_ARCHITECTURE.get(machine, machine)
    found: dict[str, Any] = {"defaultAction": profile["defaultAction"], "syscalls": []}
    if "defaultErrnoRet" in profile:
        found["defaultErrnoRet"] = profile["defaultErrnoRet"]
    native = f"SCMP_ARCH_{machine.upper()}"
    for entry in profile.get("archMap", []):
        if entry["architecture"] == native:
            found["architectures"] = [native, *entry.get("subArchitectures", [])]
    for rule in profile["syscalls"]:
        if not applies(rule, architecture):
            continue
        kept = {"names": rule["names"], "action": rule["action"]}
        if rule.get("args"):
            kept["args"] = rule["args"]
        if "errnoRet" in rule and rule["action"] == "SCMP_ACT_ERRNO":
            kept["errnoRet"] = rule["errnoRet"]
        found["syscalls"].append(kept)
    return found


def applies(rule: dict[str, Any], architecture: str) -> bool:
    """Whether a conditional rule holds for this architecture and the default capabilities."""
    wanted, unwanted = rule.get("includes") or {}, rule.get("excludes") or {}
    if wanted.get("arches") and architecture not in wanted["arches"]:
        return False
    if wanted.get("caps") and not set(wanted["caps"]) <= set(CAPABILITIES):
        return False
    if architecture in (unwanted.get("arches") or []):
        return False
    return not set(unwanted.get("caps") or []) & set(CAPABILITIES)
