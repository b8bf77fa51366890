"""Student's t distribution: tail, distribution function, quantile. Standard library only; scipy checks it in the tests.

The tail is a regularised incomplete beta function, I_x(df/2, 1/2) at x = df / (df + t²), evaluated by its continued
fraction with Lentz's method; the quantile inverts the tail by bisection that Newton's steps shorten.
"""

from __future__ import annotations

import math
from functools import lru_cache

TINY = 1e-300
PRECISION = 1e-15
STEPS = 20_000


def tail(t: float, df: float) -> float:
    """Return P(T > t) for `df` > 0 degrees of freedom."""
    if df <= 0:
        raise ValueError("degrees of freedom must be positive")
    if t < 0:
        return 1.0 - tail(-t, df)
    whole = df + t * t
    return 0.5 * _incomplete_beta(df / 2.0, 0.5, df / whole, t * t / whole)


def distribution(t: float, df: float) -> float:
    """Return P(T <= t)."""
    return tail(-t, df)


@lru_cache(maxsize=1024)
def quantile(p: float, df: float) -> float:
    """Return the t with P(T <= t) = p, 0 < p < 1."""
    if not 0.0 < p < 1.0:
        raise ValueError("a probability lies between 0 and 1")
    if p < 0.5:
        return -quantile(1.0 - p, df)
    low, high = 0.0, 1.0
    while tail(high, df) > 1.0 - p:
        low, high = high, high * 2.0
    return _invert(1.0 - p, df, low, high)


def _invert(wanted: float, df: float, low: float, high: float) -> float:
    """Return the t between `low` and `high` whose tail is `wanted`."""
    t = (low + high) / 2.0
    for _ in range(200):
        excess = tail(t, df) - wanted
        if excess > 0:
            low = t
        else:
            high = t
        newton = t + excess / max(_density(t, df), TINY)
        following = newton if low < newton < high else (low + high) / 2.0
        if abs(following - t) <= PRECISION * max(1.0, abs(t)):
            return following
        t = following
    return t


def _density(t: float, df: float) -> float:
    log_constant = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - 0.5 * math.log(df * math.pi)
    return math.exp(log_constant - (df + 1) / 2 * math.log1p(t * t / df))


def _incomplete_beta(a: float, b: float, x: float, y: float) -> float:
    """Return I_x(a, b); y = 1 - x is taken too, because either loses its digits when the other is near 0."""
    if y <= 0.0:
        return 1.0
    if x <= 0.0:
        return 0.0
    log_x = math.log1p(-y) if y < 0.5 else math.log(x)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * log_x + b * math.log(y)
    front = math.exp(log_front)
    if x < (a + 1.0) / (a + b + 2.0):
        return front * _fraction(a, b, x) / a
    return 1.0 - front * _fraction(b, a, y) / b


def _fraction(a: float, b: float, x: float) -> float:
    """Evaluate the continued fraction of the incomplete beta function."""
    c = 1.0
    d = 1.0 / _away_from_zero(1.0 - (a + b) * x / (a + 1.0))
    value = d
    for m in range(1, STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        for term in (even, odd):
            d = 1.0 / _away_from_zero(1.0 + term * d)
            c = _away_from_zero(1.0 + term / c)
            value *= c * d
        if abs(c * d - 1.0) < PRECISION:
            return value
    raise ArithmeticError(f"the incomplete beta function did not converge at a={a:g}, b={b:g}, x={x:g}")


def _away_from_zero(value: float) -> float:
    return value if abs(value) > TINY else TINY
