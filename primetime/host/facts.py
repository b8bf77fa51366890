"""What is true of this machine, as flat dotted names: the provenance of every figure.

A value of None says that the machine has no such thing where that matters (no cpufreq, no thermal zone).
"""

from __future__ import annotations

import gzip
import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path

from primetime.errors import CommandTimeout
from primetime.host.cgroup import read_hierarchy
from primetime.host.memory import MEMINFO, parse_meminfo
from primetime.host.process import find_program, run
from primetime.host.volume import file_system, queue_directory
from primetime.model import Fact, Scalar

CONFIG_OPTIONS = (
    "IRQ_TIME_ACCOUNTING", "VIRT_CPU_ACCOUNTING_GEN", "HZ", "PREEMPT", "PREEMPT_VOLUNTARY",
    "PREEMPT_DYNAMIC", "PREEMPT_RT", "NO_HZ_FULL", "SCHED_INFO", "TASK_IO_ACCOUNTING", "TRANSPARENT_HUGEPAGE",
    "PAGE_SIZE_4KB", "ARM64_4K_PAGES", "ARM64_16K_PAGES", "PSI", "KVM", "VHOST_NET", "BLK_CGROUP",
)  # fmt: skip
SYSCTLS = (
    "net/ipv4/tcp_rmem", "net/ipv4/tcp_wmem", "net/ipv4/tcp_congestion_control", "net/core/default_qdisc",
    "net/core/rmem_max", "net/core/wmem_max", "vm/swappiness", "vm/dirty_ratio", "vm/dirty_background_ratio",
    "vm/dirty_bytes", "vm/dirty_background_bytes", "vm/dirty_expire_centisecs", "vm/dirty_writeback_centisecs",
    "vm/overcommit_memory", "kernel/randomize_va_space",
)  # fmt: skip
QUEUE = (
    "scheduler",
    "read_ahead_kb",
    "rotational",
    "write_cache",
    "logical_block_size",
    "physical_block_size",
    "nr_requests",
)
DEVICE = (
    "model", "serial", "firmware_rev", "name", "manfid", "oemid", "date", "type", "cid", "fwrev", "hwrev",
    "life_time", "pre_eol_info",
)  # fmt: skip
MMC_STATES = Path("/sys/kernel/debug")
IOS = ("clock", "bus width", "timing spec")
TOOLS = ("qemu-system-x86_64", "qemu-system-aarch64", "runc", "crun", "runsc", "mkfs.ext4", "ip", "nft")
VERSION_FLAG = {"ip": "-V", "mkfs.ext4": "-V"}
VERSION_LIMIT_S = 20.0
CPUFREQ = Path("/sys/devices/system/cpu/cpu0/cpufreq")
DMI = Path("/sys/class/dmi/id")
COMMAND_LINE = Path("/proc/cmdline")
EMULATED = re.compile(r"(?:^|\s)primetime\.emulated=(\S*)")  # what `lab` puts on its boards' command line
DEVICES = ("kvm", "vhost-net", "vhost-vsock")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def machine_facts() -> tuple[Fact, ...]:
    """Everything but the volume."""
    groups = (hardware(), kernel(), system(), sysctls(), tools())
    return tuple(Fact(name, value) for group in groups for name, value in group.items())


def volume_facts(path: Path) -> tuple[Fact, ...]:
    """The file system and disk under a path, with the queue settings that change figures."""
    found: dict[str, Scalar | None] = {f"volume.fs.{name}": value for name, value in file_system(path).items()}
    queue = queue_directory(path)
    found["disk.name"] = queue.parent.name if queue else None
    if queue:
        found.update({f"disk.queue.{name}": first_line(queue / name) for name in QUEUE})
        said = {name: first_line(queue.parent / "device" / name) for name in DEVICE}
        said["bus"] = mmc_bus((queue.parent / "device").resolve().name)
        found.update({f"disk.device.{name}": value for name, value in said.items() if value})
    return tuple(Fact(name, value) for name, value in found.items())


def mmc_bus(card: str) -> str | None:
    """How a card or eMMC is driven, from its host's debugfs; `card`: "mmc0:0001". None for other disks."""
    host, colon, _ = card.partition(":")
    ios = MMC_STATES / host / "ios"
    return parse_ios(ios.read_text(encoding="ascii")) if colon and ios.is_file() else None


def parse_ios(text: str) -> str:
    """Clock, bus width and timing of /sys/kernel/debug/mmcN/ios, on one line."""
    lines = (line.partition(":") for line in text.splitlines())
    return ", ".join(f"{name.strip()} {' '.join(value.split())}" for name, _, value in lines if name.strip() in IOS)


def hardware() -> dict[str, Scalar | None]:
    """CPU, memory, board."""
    vulnerabilities = Path("/sys/devices/system/cpu/vulnerabilities")
    found: dict[str, Scalar | None] = {
        "cpu.model": cpu_model(Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")),
        "cpu.count": os.cpu_count(),
        "cpu.architecture": platform.machine(),
        "cpu.governor": first_line(CPUFREQ / "scaling_governor"),
        "cpu.driver": first_line(CPUFREQ / "scaling_driver"),
        "cpu.max_khz": first_line(CPUFREQ / "cpuinfo_max_freq"),
        "cpu.smt": first_line(Path("/sys/devices/system/cpu/smt/active")),
        "memory.total_bytes": parse_meminfo(MEMINFO.read_bytes()).get("MemTotal"),
        "memory.page_bytes": os.sysconf("SC_PAGE_SIZE"),
        "board.model": board_model(),
        "board.vendor": first_line(DMI / "sys_vendor"),
        "board.firmware": first_line(DMI / "bios_version"),
        "machine.virtual": first_line(Path("/sys/hypervisor/type")) or hypervisor_flag(),
        "machine.emulated": machine_emulation() or None,
        **{f"machine.{name}": Path("/dev", name).exists() for name in DEVICES},
    }
    found.update({f"mitigation.{path.name}": first_line(path) for path in sorted(vulnerabilities.glob("*"))})
    return found


def kernel() -> dict[str, Scalar | None]:
    """Release, command line, options of interest ("y", "m", a number; None: not set)."""
    config = kernel_config()
    found: dict[str, Scalar | None] = {
        "kernel.release": platform.release(),
        "kernel.version": platform.version(),
        "kernel.cmdline": first_line(COMMAND_LINE),
        "kernel.config_known": bool(config),
    }
    if config:
        found.update({f"kernel.config.{name}": config.get(name) for name in CONFIG_OPTIONS})
    return found


def system() -> dict[str, Scalar | None]:
    """Distribution, cgroup layout, memory features, swap."""
    hierarchy = read_hierarchy()
    swaps = Path("/proc/swaps").read_text(encoding="utf-8").splitlines()[1:]
    return {
        "os.name": os_name(),
        "cgroup.version": hierarchy.version,
        "cgroup.controllers": " ".join(sorted(hierarchy.roots)),
        "thp.enabled": first_line(Path("/sys/kernel/mm/transparent_hugepage/enabled")),
        "ksm.run": first_line(Path("/sys/kernel/mm/ksm/run")),
        "swap.devices": len(swaps),
        "python.version": platform.python_version(),
    }


def sysctls() -> dict[str, Scalar | None]:
    """Network and writeback settings."""
    return {f"sysctl.{name.replace('/', '.')}": first_line(Path("/proc/sys", name)) for name in SYSCTLS}


def tools() -> dict[str, Scalar | None]:
    """The first line that each tool of this host says of its version; None where it is not installed."""
    return {f"tool.{name}": version(name) for name in TOOLS}


def version(name: str) -> str | None:
    """What one tool says of itself; a tool that is there and cannot say it says why."""
    program = find_program(name)
    if program is None:
        return None
    try:
        outcome = run([program, VERSION_FLAG.get(name, "--version")], timeout_s=VERSION_LIMIT_S, check=False)
    except (CommandTimeout, OSError) as error:
        return f"installed, but: {error}"
    words = (outcome.stdout or outcome.stderr).decode(errors="replace").strip().splitlines()
    return words[0] if words else ""


def kernel_config() -> Mapping[str, str]:
    """The running kernel's build options; empty where it does not show them."""
    compressed, plain = Path("/proc/config.gz"), Path(f"/boot/config-{platform.release()}")
    if compressed.exists():
        text = gzip.decompress(compressed.read_bytes()).decode("utf-8")
    elif plain.exists():
        text = plain.read_text(encoding="utf-8")
    else:
        return {}
    return parse_config(text)


def parse_config(text: str) -> dict[str, str]:
    """Parse CONFIG_NAME=value lines."""
    return {name: value.strip('"') for name, value in re.findall(r"^CONFIG_(\w+)=(.*)$", text, re.MULTILINE)}


def cpu_model(cpuinfo: str) -> str | None:
    """The processor's name; on Arm its implementer and part numbers, which is all that is told."""
    name = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    if name:
        return name[1].strip()
    codes = [re.search(rf"^CPU {code}\s*:\s*(.+)$", cpuinfo, re.MULTILINE) for code in ("implementer", "part")]
    return "Arm implementer {} part {}".format(*(code[1] for code in codes if code)) if all(codes) else None


def emulated_as(command_line: str) -> str:
    """What a kernel command line says this machine is emulated as (primetime.emulated=x86); "" for a real one."""
    found = EMULATED.search(command_line)
    return (found[1] or "yes") if found else ""


def machine_emulation() -> str:
    """What this machine is emulated as: no figure of it says anything about speed. "" where it is real."""
    return emulated_as(first_line(COMMAND_LINE) or "")


def hypervisor_flag() -> str | None:
    """ "hypervisor" where the CPU says that it is a virtual one."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    return "hypervisor" if re.search(r"^flags\s*:.*\bhypervisor\b", text, re.MULTILINE) else None


def board_model() -> str | None:
    """The device tree's or the firmware's name of the board."""
    for path in (Path("/proc/device-tree/model"), DMI / "product_name"):
        text = first_line(path)
        if text:
            return text.rstrip("\0")
    return None


def os_name() -> str | None:
    """PRETTY_NAME of /etc/os-release."""
    text = Path("/etc/os-release")
    found = (
        re.search(r'^PRETTY_NAME="?([^"\n]*)', text.read_text(encoding="utf-8"), re.MULTILINE)
        if text.exists()
        else None
    )
    return found[1] if found else None


def boot_id() -> str:
    """What tells one start of this machine from the next."""
    return BOOT_ID.read_text(encoding="ascii").strip()


def first_line(path: Path) -> str | None:
    """The first line of a small file; None when there is none or it cannot be read."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    return lines[0].strip() if lines else ""
