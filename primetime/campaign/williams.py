"""Williams squares: orders in which everybody has every place, and every predecessor, equally often.

After E. J. Williams, "Experimental designs balanced for the estimation of residual effects of treatments" (1949).
For an even number n a square of n rows does it; for an odd one n rows and their mirror images.
"""

from __future__ import annotations


def williams_rows(count: int) -> tuple[tuple[int, ...], ...]:
    """Return the rows for `count` places: count of them where it is even (or 1), twice as many where it is odd."""
    if count < 1:
        return ()
    first = zigzag(count)
    square = tuple(tuple((number + shift) % count for number in first) for shift in range(count))
    if count % 2 == 0 or count == 1:
        return square
    return square + tuple(row[::-1] for row in square)


def zigzag(count: int) -> list[int]:
    """Return 0, 1, n-1, 2, n-2, …: its neighbours differ by everything once (for odd n: by everything up to sign)."""
    found = [0]
    for step in range(1, count):
        found.append((step + 1) // 2 if step % 2 else count - step // 2)
    return found
