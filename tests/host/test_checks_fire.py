"""Checks of the contract fire on campaigns that really break them, and say so with exit code 1.

Two short campaigns break what can be broken in seconds; docs/checks.md tells how each of the others was.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from primetime.campaign.survey import kvm_missing
from tests.host.machine import Standing

LIMIT_S = 900.0
HEAD = """
[limits]
cpus = 1
memory = "384MiB"
[volume]
path = "{path}"
size = "128MiB"
[pace]
settle = "0s"
settle_limit = "0s"
[blocks]
min = 1
max = 1
aa = {aa}
[flash]
precondition = false
[environments.native]
"""
CONTAINERS = """
[environments.runc]
seccomp = "none"
[environments.gvisor]
[[points]]
workload = "fio"
rw = "randread"
bs = ["4KiB", "256B"]
size = "16MiB"
direct = true
runtime = "1s"
[[points]]
workload = "fio"
rw = "write"
bs = "64KiB"
size = "16MiB"
runtime = "1s"
[[points]]
workload = "command"
name = "fails"
argv = ["false"]
[[points]]
workload = "netperf"
test = "stream"
runtime = "1s"
"""
BROKEN = {
    "aa-few", "absorbed-writes", "few-blocks", "host-cached", "kernel-differs", "memcpy-network", "path-differs",
    "streams-alone", "tcp-differs", "trials-failed", "trials-skipped", "unconditioned", "variant",
}  # fmt: skip
UNSAFE = """
[environments.qemu]
cache = "unsafe"
vmm_outside = true
[[points]]
workload = "fio"
rw = "randwrite"
size = "16MiB"
fsync = 1
runtime = "1s"
[[points]]
workload = "fio"
rw = "randread"
size = "16MiB"
direct = true
runtime = "1s"
"""
BROKEN_BY_QEMU = {"not-durable", "cache-modes-mixed", "cpu-outside-limit", "variant", "kernel-differs"}


def checked(directory: Path, study: str) -> dict[str, list[dict[str, object]]]:
    """Run a study here; return what `check` says of it, by id."""
    (directory / "broken.toml").write_text(study)
    campaign = directory / "broken.sqlite"
    argv = [sys.executable, "-m", "primetime"]
    ran = subprocess.run(
        [*argv, "run", str(directory / "broken.toml"), "-o", str(campaign)],
        capture_output=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    assert ran.returncode in (0, 1), ran.stderr.decode()
    said = subprocess.run([*argv, "check", str(campaign), "--json"], capture_output=True, timeout=60, check=False)
    assert said.returncode == 1, said.stderr.decode()
    found: dict[str, list[dict[str, object]]] = {}
    for warning in json.loads(said.stdout):
        found.setdefault(warning["id"], []).append(warning)
    return found


def test_containers_break_what_they_can(unchanged: Standing, tmp_path: Path, volume_path: Path) -> None:
    found = checked(tmp_path, HEAD.format(path=volume_path, aa="true") + CONTAINERS)
    assert found.keys() >= BROKEN
    assert {warning["scope"] for warning in found["host-cached"]} == {
        "environment:gvisor,point:fio-randread-4KiB-direct"
    }
    assert {warning["figures"]["variant"] for warning in found["variant"]} == {  # type: ignore[index]
        "seccomp = none",
        "flash.precondition = false",
    }
    assert not found.keys() & {"not-durable", "vmm-uncapped", "limits-unproved", "strays", "clock-uncertain"}


def test_a_vm_without_flushes_is_found_out(unchanged: Standing, tmp_path: Path, volume_path: Path) -> None:
    found = checked(tmp_path, HEAD.format(path=volume_path, aa="false") + UNSAFE)
    assert found.keys() >= BROKEN_BY_QEMU
    assert {warning["scope"].split(",")[0] for warning in found["not-durable"]} == {  # type: ignore[attr-defined]
        "environment:qemu"
    }
    if kvm_missing():
        assert "emulated" in found
