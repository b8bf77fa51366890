"""What watching costs, in one run.

instruments_cpu_over_sysstat: CPU seconds of our instruments at 1 Hz over a minute ÷ those of `mpstat -P ALL 1`
and `pidstat -t 1` over the same minute; pidstat looks at every task of the host, ours at the footprint's.
fio_with_over_without: throughput of the same native fio point with all instruments at 10 Hz ÷ without any, in
alternation. peak_memory_over_60_mb: of this process. Root; sysstat and the image cache must be there.
"""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from statistics import geometric_mean

from primetime.campaign.device import BootStart
from primetime.campaign.linux_device import LinuxDevice, Opening
from primetime.campaign.opening import open_device
from primetime.campaign.study_file import load_study
from primetime.environments import environment
from primetime.environments.base import Instance
from primetime.host.lock import device_lock
from primetime.host.undo import open_ledger
from primetime.images.cache import Cache
from primetime.images.guest import build_guest_images
from primetime.instruments import default_instruments
from primetime.instruments.base import Instrument
from primetime.instruments.sampler import Sampler
from primetime.model import Command, Footprint, StepOutput, TrialData
from primetime.workloads import workload

MINUTE_S = float(os.environ.get("BENCH_SECONDS", "60"))
ROUNDS = 4
FAST_HZ = 10.0


def main() -> None:
    """Print one line per figure."""
    print("instruments_cpu_over_sysstat", round(instruments_over_sysstat(), 3), flush=True)
    print("fio_with_over_without", round(with_over_without(), 3), flush=True)
    print("peak_memory_over_60_mb", round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 60e3, 3), flush=True)


def instruments_over_sysstat() -> float:
    """CPU seconds of a minute at 1 Hz, ours over theirs, both watching this process's threads."""
    count = str(round(MINUTE_S))
    tools = [["mpstat", "-P", "ALL", "1", count], ["pidstat", "-t", "1", count]]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    running = [subprocess.Popen(argv, stdout=subprocess.DEVNULL) for argv in tools]
    members = [at(instrument, 1.0) for instrument in default_instruments(Path("/var/tmp")) if instrument.hz]
    used = time.process_time()
    with Sampler(members, Footprint(pids=(os.getpid(),))) as sampler:
        sampler.hold(MINUTE_S)
        sampler.chunks()
    ours = time.process_time() - used
    for tool in running:
        tool.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    theirs = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return ours / theirs


def at(instrument: Instrument, hz: float) -> Instrument:
    """The instrument at another rate."""
    instrument.hz = hz  # type: ignore[misc]
    return instrument


def with_over_without() -> float:
    """Throughput with all instruments at 10 Hz over throughput without, in alternating order."""
    study = load_study("quick")
    native = tuple(spec for spec in study.environments if spec.kind == "native")
    study = replace(study, environments=native, peer="")
    images = build_guest_images(Cache(), platform.machine(), study.images, lambda _: None)
    member = environment(native[0])
    ratios = []
    with (
        device_lock("bench"),
        open_device(Opening(study, images, (member,), open_ledger())) as device,
        device.boot(member, BootStart(63001)) as instance,
    ):
        for number in range(ROUNDS):
            rates = {watched: rate(device, instance, watched) for watched in order(number)}
            ratios.append(rates[True] / rates[False])
    return geometric_mean(ratios)


def order(number: int) -> tuple[bool, bool]:
    """Alternate who comes first."""
    return (True, False) if number % 2 else (False, True)


def rate(device: LinuxDevice, instance: Instance, watched: bool) -> float:
    """fio's rate on the quick study's read point."""
    point = device.opening.study.points[0]
    member = workload(point.workload)
    recipe = member.recipe(point, device.site)
    for step in recipe.layout:
        instance.run(Command(step.argv, step.timeout_s))
    device.flush()
    members = [at(one, FAST_HZ) for one in default_instruments(device.volume.tested)] if watched else []
    with Sampler(members, instance.footprint()):
        outcome = instance.run(Command(recipe.run[0].argv, recipe.run[0].timeout_s))
    output = StepOutput(recipe.run[0].name, (), 0, outcome.stdout, b"", outcome.t0, outcome.t1)
    found = member.parse(point, TrialData((output,), outcome.t0, outcome.t1))
    return next(one.value for one in found if one.metric.name == "rate")


if __name__ == "__main__":
    main()
