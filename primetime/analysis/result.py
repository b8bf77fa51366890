"""Everything analysis has to say about one campaign, as one value: what every report is made from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from primetime.analysis.checks import gravest_first, quality_warnings
from primetime.analysis.compare import check_baseline, compare
from primetime.analysis.components import Components, components
from primetime.analysis.data import CampaignData, load
from primetime.analysis.distribution import Distribution, distributions
from primetime.analysis.excluded import Exclusion, excluded
from primetime.analysis.findings import findings
from primetime.analysis.judging import method_warnings
from primetime.model import Comparison, Finding, QualityWarning


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


def analyse(path: Path, baseline: str | None = None) -> Analysis:
    """Read a campaign file and say what it means. UserError for a bad file or an unknown baseline."""
    data = load(path)
    base = check_baseline(data, baseline)
    warnings = quality_warnings(data)
    comparisons = compare(data, warnings, base)
    warnings = gravest_first((*warnings, *method_warnings(comparisons)))
    return Analysis(
        data=data,
        baseline=base,
        comparisons=comparisons,
        findings=findings(data, comparisons, warnings),
        warnings=warnings,
        excluded=excluded(data, base),
        distributions=distributions(data),
        components=components(data),
    )
