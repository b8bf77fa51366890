"""Pairing by block: what an environment gave beside what the baseline gave in the same stretch of time."""

from __future__ import annotations

import math
from collections.abc import Mapping


def log_ratios(values: Mapping[int, float], baseline: Mapping[int, float]) -> dict[int, float]:
    """Return ln(value / baseline) by block, in block order; blocks without a partner or a positive value are dropped.

    Both: one number per block, the boot's. A block is the unit of replication (methodology §4, step 3).
    """
    shared = sorted(values.keys() & baseline.keys())
    return {
        block: math.log(values[block]) - math.log(baseline[block])
        for block in shared
        if values[block] > 0 and baseline[block] > 0
    }
