"""Many comparisons (methodology §4, step 6): Holm for the family that verdicts are about, Benjamini-Hochberg else.

Holm's step-down keeps the chance of any false alarm in the family, whatever depends on what. Benjamini and Hochberg's
step-up keeps the expected share of false ones among those called: enough for exploring, not for a verdict.
"""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Return adjusted p-values in the order given; rejecting those at or below 0.05 keeps the family at 5 %."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted = [0.0] * len(p_values)
    reached = 0.0
    for rank, index in enumerate(order):
        reached = max(reached, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = reached
    return tuple(adjusted)


def benjamini_hochberg(p_values: Sequence[float]) -> tuple[float, ...]:
    """Return q-values in the order given: among those at or below 0.05, 5 % are expected to be false alarms."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted = [0.0] * len(p_values)
    reached = 1.0
    for rank, index in reversed(list(enumerate(order, start=1))):
        reached = min(reached, len(p_values) / rank * p_values[index])
        adjusted[index] = reached
    return tuple(adjusted)
