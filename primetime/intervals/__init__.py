"""The arithmetic of trust: pairing, log-ratio t interval, equivalence, Holm. Shared by runner and analysis."""

from __future__ import annotations

from primetime.intervals.alignment import Alignment, align, interpolated, pulse_spans
from primetime.intervals.holm import benjamini_hochberg, holm
from primetime.intervals.log_ratio import (
    ALPHA,
    LEVEL,
    blocks_to_resolve,
    blocks_to_width,
    difference_p,
    equivalence_p,
    half_width,
    log_half_width,
    log_ratio_interval,
    spread,
)
from primetime.intervals.order_statistics import LEAST, QuantileInterval, quantile_interval
from primetime.intervals.pairing import log_ratios
from primetime.intervals.variance import advised_iterations, full_boots, split_variance

__all__ = [
    "ALPHA",
    "LEAST",
    "LEVEL",
    "Alignment",
    "QuantileInterval",
    "advised_iterations",
    "align",
    "benjamini_hochberg",
    "blocks_to_resolve",
    "blocks_to_width",
    "difference_p",
    "equivalence_p",
    "full_boots",
    "half_width",
    "holm",
    "interpolated",
    "log_half_width",
    "log_ratio_interval",
    "log_ratios",
    "pulse_spans",
    "quantile_interval",
    "split_variance",
    "spread",
]
