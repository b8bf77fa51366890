"""What a trial looks at around its window: the ramp that is left out, memory before the drain, clocks and durations."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from primetime.environments.base import ClockOffset, Instance
from primetime.errors import TrialFailed
from primetime.instruments.base import cost
from primetime.model import Measurement, StepOutput

CLOCK_ERROR = 0.005  # contract §4: seconds that are not ours give no figures
CLOCK_GRAIN_S = 0.01  # tools print their duration in steps of this size or less
AFTER, AT_END = "_after", "_at_end"
MEMORY = ("host_dirty", "host_page_cache", "environment_anon", "environment_file", "environment_dirty")


@dataclass(frozen=True, slots=True)
class Window:
    """What happened between arming and disarming. `ramp_s`: the tool's lead-in, before the first edge."""

    outputs: tuple[StepOutput, ...]
    t0: float
    t1: float
    drain_s: float
    ramp_s: float
    measured: tuple[Measurement, ...]


@contextmanager
def after_ramp(ramp_s: float, act: Callable[[], None]) -> Iterator[None]:
    """Do `act` once `ramp_s` seconds of the block are over; not at all when the block ends before."""
    timer = threading.Timer(ramp_s, act)
    if ramp_s > 0:
        timer.start()
    try:
        yield
    finally:
        if ramp_s > 0:
            timer.cancel()
            timer.join()


def memory_at_end(measured: Iterable[Measurement]) -> tuple[Measurement, ...]:
    """Page cache and dirty bytes of host and cgroup as they were when the run ended, before the drain (contract §2)."""
    wanted = {name + AFTER: name + AT_END for name in MEMORY}
    return tuple(
        replace(one, metric=replace(one.metric, name=wanted[one.metric.name]))
        for one in measured
        if one.metric.name in wanted
    )


def guest_memory(instance: Instance, when: str) -> tuple[Measurement, ...]:
    """The guest's page cache and dirty bytes (contract §2); nothing without a guest kernel. `when`: end of the name."""
    cached = instance.cached_bytes()
    if not cached:
        return ()
    return (
        cost(f"page_cache_guest{when}", "B", float(cached)),
        cost(f"dirty_guest{when}", "B", float(instance.dirty_bytes())),
    )


def check_clock(before: ClockOffset, after: ClockOffset, seconds: float) -> None:
    """TrialFailed when the guest's clock surely ran at another rate than the host's over these host seconds."""
    drift = abs(after.offset_s - before.offset_s) - before.within_s - after.within_s
    if drift > CLOCK_ERROR * seconds:
        words = f"the guest's clock ran {drift / seconds * 100:.2f} % off the host's, more than 0.5 %"
        raise TrialFailed(words)


def check_duration(parsed: Iterable[Measurement], window: Window) -> None:
    """TrialFailed when the tool says that it ran for longer than the host saw it run: its seconds are not ours."""
    said = next((one.value for one in parsed if one.metric.name == "tool_duration"), 0.0)
    seen = window.t1 - window.t0
    if said + window.ramp_s > seen * (1 + CLOCK_ERROR) + CLOCK_GRAIN_S:
        raise TrialFailed(f"the tool says that it ran for {said + window.ramp_s:.3f} s, the host saw {seen:.3f} s")
