"""Facts of a campaign as checks ask for them: by name, for the campaign or by environment over its boots."""

from __future__ import annotations

from primetime.analysis.data import CampaignData
from primetime.model import BootStatus, CampaignState, Scalar

Value = Scalar | None
VARIANT = "variant."
MEASURED = frozenset({"network.peer_round_trip_s", "disk.device.life_time", "disk.device.pre_eol_info"})


def standing(data: CampaignData) -> str:
    """A campaign's state in a report, which cannot know whether somebody measures it right now."""
    state = str(data.campaign["state"])
    return "unfinished" if state == CampaignState.RUNNING else state


def campaign_fact(data: CampaignData, name: str) -> Value:
    """Return the newest value of a campaign's fact; None when it is not there."""
    found = data.facts_of("campaign", name)
    return found[-1].value if found else None


def settings_told(data: CampaignData) -> dict[tuple[str, str], list[str]]:
    """Return every value, in order, that facts of the device ("") and of the environments had, by label and name.

    What is a figure and no setting is not among them.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for fact in data.facts:
        if fact.scope in ("campaign", "environment") and fact.name not in MEASURED:
            found.setdefault((fact.scope_id, fact.name), []).append(str(fact.value))
    return found


def variants_of(data: CampaignData, environment: str = "") -> tuple[str, ...]:
    """Return the rules that a study switched off, as it says them: of one environment, or of the whole campaign."""
    scope = "environment" if environment else "campaign"
    found = {
        fact.name.removeprefix(VARIANT): fact.value
        for fact in data.facts
        if fact.scope == scope and fact.scope_id == environment and fact.name.startswith(VARIANT)
    }
    return tuple(f"{name} = {value}" for name, value in found.items())


def outside_share(data: CampaignData, point: str, environment: str) -> float | None:
    """Return the part of an environment's own CPU time that lies outside its limit; None where it was not measured."""
    found = means(data, point, environment)
    own = found.get("cpu_environment", 0.0)
    return found["cpu_outside"] / own if own > 0 and "cpu_outside" in found else None


def boot_values(data: CampaignData, name: str) -> dict[str, list[Value]]:
    """Return a fact of the boots that ended well, by environment, in the order of boots."""
    boots = {str(boot.boot): boot.environment for boot in data.boots if boot.status is BootStatus.DONE}
    found: dict[str, list[Value]] = {}
    for fact in data.facts_of("boot", name):
        if fact.scope_id in boots:
            found.setdefault(boots[fact.scope_id], []).append(fact.value)
    return found


def boot_facts(data: CampaignData) -> dict[str, dict[str, Value]]:
    """Return the newest value of every fact of the boots that ended well, by environment and name."""
    boots = {str(boot.boot): boot.environment for boot in data.boots if boot.status is BootStatus.DONE}
    found: dict[str, dict[str, Value]] = {}
    for fact in data.facts:
        if fact.scope == "boot" and fact.scope_id in boots:
            found.setdefault(boots[fact.scope_id], {})[fact.name] = fact.value
    return found


def environment_fact(data: CampaignData, environment: str, name: str) -> Value:
    """Return the newest value of an environment's fact; None when it is not there."""
    found = [fact.value for fact in data.facts_of("environment", name) if fact.scope_id == environment]
    return found[-1] if found else None


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
