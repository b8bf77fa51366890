"""Everything analysis has to say about one campaign, as one value: what every report is made from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from primetime.analysis.checks import gravest_first, quality_warnings
from primetime.analysis.checks.power import power_warnings
from primetime.analysis.claims import Claim, claims
from primetime.analysis.compare import check_baseline, compare, margin_of
from primetime.analysis.components import Components, components
from primetime.analysis.cpu_power import Line, lines
from primetime.analysis.data import CampaignData, load
from primetime.analysis.distribution import Distribution, distributions
from primetime.analysis.excluded import Exclusion, excluded
from primetime.analysis.findings import findings
from primetime.analysis.judging import method_warnings
from primetime.analysis.power import Power, read_power, with_energy
from primetime.model import Comparison, Finding, QualityWarning, Role
from primetime.store import CampaignFile


@dataclass(frozen=True, slots=True)
class Analysis:
    """One campaign, understood. `findings` belong to the primary `comparisons`, one to one, in order."""

    data: CampaignData
    baseline: str
    comparisons: tuple[Comparison, ...]
    findings: tuple[Finding, ...]
    warnings: tuple[QualityWarning, ...]
    excluded: tuple[Exclusion, ...]
    distributions: tuple[Distribution, ...]
    components: tuple[Components, ...]
    power: Power = field(default_factory=Power)
    lines: tuple[Line, ...] = ()
    claims: tuple[Claim, ...] = ()


def analyse(path: Path, baseline: str | None = None) -> Analysis:
    """Read a campaign file and say what it means. UserError for a bad file or an unknown baseline."""
    data = load(path)
    base = check_baseline(data, baseline)
    data = replace(data, chosen_baseline=base)
    with CampaignFile.open(path, write=False) as file:
        power = read_power(file, data)
    data = with_energy(data, power)
    warnings = gravest_first((*quality_warnings(data), *power_warnings(data, power)))
    comparisons = compare(data, warnings, base)
    warnings = gravest_first((*warnings, *method_warnings(comparisons)))
    fitted = fitted_lines(data, power, base)
    return Analysis(
        data=data,
        baseline=base,
        comparisons=comparisons,
        findings=findings(data, comparisons, warnings),
        warnings=warnings,
        excluded=excluded(data, base),
        distributions=distributions(data),
        components=components(data),
        power=power,
        lines=fitted,
        claims=claims(data, power, fitted, warnings),
    )


def fitted_lines(data: CampaignData, power: Power, baseline: str) -> tuple[Line, ...]:
    """Return the lines of power on CPU over the points of the ladder."""
    ladder = frozenset(name for name, record in data.points.items() if record.point.workload == "ladder")
    blocks = {boot.boot: boot.block for boot in data.boots if boot.role is Role.MAIN}
    return lines(power, blocks, ladder, (baseline, margin_of(data, "power")))
