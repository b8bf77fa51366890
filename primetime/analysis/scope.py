"""The scope of a warning as text: what it spoils. "campaign", or terms that must all hold: "environment:qemu,point:a".

Labels, point names and metric names hold neither commas nor colons.
"""

from __future__ import annotations

CAMPAIGN = "campaign"


def scope_of(environment: str = "", point: str = "", metric: str = "") -> str:
    """Return the scope of everything that is about these; "" means any."""
    terms = {"environment": environment, "point": point, "metric": metric}
    return ",".join(f"{term}:{name}" for term, name in terms.items() if name) or CAMPAIGN


def covers(scope: str, environments: tuple[str, ...], point: str, metric: str) -> bool:
    """Return whether a warning with this scope is about a comparison of these environments on this metric."""
    if scope == CAMPAIGN:
        return True
    found = {"environment": environments, "point": (point,), "metric": (metric,)}
    terms = (term.partition(":") for term in scope.split(","))
    return all(name in found.get(term, ()) for term, _, name in terms)
