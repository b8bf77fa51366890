"""Facts of a campaign as checks ask for them: by name, for the campaign or by environment over its boots."""

from __future__ import annotations

from primetime.analysis.data import CampaignData
from primetime.model import BootStatus, Scalar

Value = Scalar | None


def campaign_fact(data: CampaignData, name: str) -> Value:
    """Return the newest value of a campaign's fact; None when it is not there."""
    found = data.facts_of("campaign", name)
    return found[-1].value if found else None


def boot_values(data: CampaignData, name: str) -> dict[str, list[Value]]:
    """Return a fact of the boots that ended well, by environment, in the order of boots."""
    boots = {str(boot.boot): boot.environment for boot in data.boots if boot.status is BootStatus.DONE}
    found: dict[str, list[Value]] = {}
    for fact in data.facts_of("boot", name):
        if fact.scope_id in boots:
            found.setdefault(boots[fact.scope_id], []).append(fact.value)
    return found


def boot_numbers(data: CampaignData, name: str) -> dict[str, list[float]]:
    """Return the numbers among them."""
    return {
        label: numbers
        for label, values in boot_values(data, name).items()
        if (numbers := [float(value) for value in values if isinstance(value, int | float)])
    }


def means(data: CampaignData, point: str, environment: str) -> dict[str, float]:
    """Return the arithmetic mean of every metric over the finished trials of a cell."""
    return data.means(point, environment)


def percent(part: float, whole: float) -> str:
    """Return "7.3 %"."""
    return f"{100 * part / whole:.1f} %" if whole else "0 %"


def by_boot(data: CampaignData, name: str) -> dict[int, Value]:
    """Return the newest value of a fact by boot, whatever became of the boot."""
    return {int(fact.scope_id): fact.value for fact in data.facts_of("boot", name)}
