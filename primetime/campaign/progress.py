"""How far a campaign is, and when it will be done."""

from __future__ import annotations

import time
from collections.abc import Iterable

from primetime.model import Estimate, Measurement
from primetime.store import CampaignFile

SCALES = {"B/s": ("MB/s", 1e-6), "bit/s": ("Mbit/s", 1e-6), "1/s": ("/s", 1.0), "s": ("ms", 1e3), "B": ("MiB", 2**-20)}


class Progress:
    """Counts cells (slot, point) and their pace in this run; before the first one ends, the plan's estimate."""

    def __init__(self, campaign: CampaignFile, estimate: Estimate) -> None:
        self.campaign = campaign
        self.estimate = estimate
        self.started = time.monotonic()
        self.ended_before = self.ended()

    def ended(self) -> int:
        """Cells that need no more measuring."""
        counts = self.campaign.counts()
        return counts.done + counts.failed + counts.skipped

    def done_of(self) -> tuple[int, int]:
        """Ended cells, and how many there will be (as far as blocks are planned or estimated)."""
        counts = self.campaign.counts()
        total = max(self.estimate.trials, sum(counts))
        return self.ended(), total

    def eta_s(self) -> float:
        """Seconds that the rest will take, from the pace so far."""
        ended, total = self.done_of()
        here = ended - self.ended_before
        if here <= 0:
            return self.estimate.seconds * (total - ended) / max(total, 1)
        return (time.monotonic() - self.started) / here * (total - ended)


def figure_in_words(measurements: Iterable[Measurement], primary: str) -> str:
    """The primary figure of a trial for a progress line ("46.1 MB/s"); "" when it has none."""
    for one in measurements:
        if one.metric.name == primary:
            unit, scale = SCALES.get(one.metric.unit, (one.metric.unit, 1.0))
            return f"{one.value * scale:.4g} {unit}"
    return ""
