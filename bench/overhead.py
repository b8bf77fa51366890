"""What a campaign costs beside the bare tools, in one run: wall time ÷ wall time.

native_campaign_over_shell: a native campaign of ten 5 s points in one boot, without settling, over the same
fio commands one after the other in a chroot of the same userland, with the same flushes.
runc_campaign_over_runc_run: the same by runc over plain `runc run`, one container per command.

The commands and the argv of both sides come from the same study, so neither does more work. Root.
"""

from __future__ import annotations

import json
import platform
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from primetime.campaign.device import BootStart
from primetime.campaign.linux_device import LinuxDevice, Opening
from primetime.campaign.opening import open_device
from primetime.campaign.study_file import load_study
from primetime.environments import environment
from primetime.environments.base import Attachment, BootContext, Connection, Environment
from primetime.environments.bundle import BundlePlan, oci_config
from primetime.errors import PrimetimeError
from primetime.host.cgroup import Cgroup
from primetime.host.lock import device_lock
from primetime.host.process import run
from primetime.host.undo import open_ledger
from primetime.images.cache import Cache
from primetime.images.guest import build_guest_images
from primetime.model import Command
from primetime.workloads import workload

POINTS, SECONDS = 10, 5
LIMIT_S = 120.0
SETTINGS = {"native": "", "runc": 'storage = "bind"'}
STUDY = """
title = "overhead"
[limits]
cpus = 1
memory = "512MiB"
[volume]
size = "128MiB"
[network]
peer = ""
[environments.{kind}]
{settings}
[pace]
settle = "0s"
settle_limit = "0s"
[blocks]
min = 1
max = 1
aa = false
[flash]
precondition = false
[[points]]
workload = "fio"
rw = "randread"
bs = {sizes}
size = "32MiB"
runtime = "{seconds}s"
"""


def main() -> None:
    """Print one line per figure."""
    for kind, name in (("native", "native_campaign_over_shell"), ("runc", "runc_campaign_over_runc_run")):
        with tempfile.TemporaryDirectory() as directory:
            study = Path(directory, "overhead.toml")
            sizes = [f"{4 * 2**power}KiB" for power in range(POINTS)]
            study.write_text(STUDY.format(kind=kind, settings=SETTINGS[kind], sizes=sizes, seconds=SECONDS))
            print(name, round(campaign_seconds(study) / plain_seconds(study), 3), flush=True)


def campaign_seconds(study: Path) -> float:
    """Wall time of the campaign's block: from the boot's start to the end of what it undoes."""
    campaign = study.with_suffix(".sqlite")
    subprocess.run(
        [sys.executable, "-m", "primetime", "run", str(study), "-o", str(campaign)],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    with sqlite3.connect(campaign) as sql:
        (seconds,) = sql.execute("SELECT max(t1) - min(t0) FROM boots WHERE status = 'done'").fetchone()
    return float(seconds)


def plain_seconds(path: Path) -> float:
    """Wall time of the same fio commands without the campaign: the layout, then each command after the other."""
    study = load_study(str(path))
    images = build_guest_images(Cache(), platform.machine(), study.images, lambda _: None)
    member = environment(study.environments[0])
    opening = Opening(study, images, (member,), open_ledger())
    with device_lock("bench"), open_device(opening) as device:
        recipes = [workload(point.workload).recipe(point, device.site) for point in study.points]
        argvs = [recipes[0].layout[0].argv, *(recipe.run[0].argv for recipe in recipes)]
        return in_shell(device, member, argvs) if member.kind == "native" else in_containers(device, member, argvs)


def in_shell(device: LinuxDevice, member: Environment, argvs: list[tuple[str, ...]]) -> float:
    """One command after the other in a chroot that is there already."""
    with device.boot(member, BootStart(63000)) as instance:
        t0 = time.monotonic()
        for argv in argvs:
            check(instance.run(Command(argv, LIMIT_S)).returncode)
        return time.monotonic() - t0


def in_containers(device: LinuxDevice, member: Environment, argvs: list[tuple[str, ...]]) -> float:
    """One `runc run` per command, on the volume's files by bind mount."""
    with device.fresh_volume(member, 63000) as volume, tempfile.TemporaryDirectory() as directory:
        context = BootContext(
            name="bench",
            limits=device.limits,
            volume=volume,
            connection=Connection(Attachment.NAMESPACE, "", 0, "", "", "", "none"),
            images=device.opening.images,
            cgroup=Cgroup("primetime/bench"),
            directory=Path(directory),
            ledger=device.opening.ledger,
            emulated=False,
        )
        config = oci_config(BundlePlan(context, device.opening.images.userland, False, volume, None))
        config["linux"]["namespaces"][-1].pop("path")  # a network of its own, without an interface
        t0 = time.monotonic()
        for number, argv in enumerate(argvs):
            config["process"]["args"] = list(argv)
            Path(directory, "config.json").write_text(json.dumps(config))
            state = f"--root={directory}/state"
            check(run(["runc", state, "run", "--bundle", directory, f"bench{number}"], timeout_s=LIMIT_S).returncode)
        return time.monotonic() - t0


def check(returncode: int) -> None:
    """Stop when a tool failed: its time would be nothing."""
    if returncode:
        raise PrimetimeError(f"fio ended with exit code {returncode}")


if __name__ == "__main__":
    main()
