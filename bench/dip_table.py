"""The table of primetime/analysis/dip.py: quantiles of sqrt(n) × dip for uniform samples. Minutes; seeds fixed."""

from __future__ import annotations

import math
import sys

import numpy as np

from primetime.analysis.dip import TAILS, dip

SIZES = {20: 50_000, 30: 50_000, 50: 50_000, 100: 30_000, 200: 20_000, 500: 20_000, 1000: 10_000}


def main() -> None:
    """Print the table's rows."""
    wanted = [int(word) for word in sys.argv[1:]] or list(SIZES)
    for size in wanted:
        chance = np.random.default_rng([1985, size])
        dips = [math.sqrt(size) * dip(sample) for sample in chance.random((SIZES[size], size))]
        row = ", ".join(f"{value:.4f}" for value in np.quantile(dips, [1 - tail for tail in TAILS]))
        print(f"    {size}: ({row}),", flush=True)


if __name__ == "__main__":
    main()
