"""The report for programs: the shape of `report --json`, kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from primetime.analysis import Analysis
from primetime.model import Comparison, QualityWarning
from primetime.report.power_json import Json, power_json


def json_text(analyses: Sequence[Analysis]) -> str:
    """Return JSON text: one object for one campaign, a list of them for several."""
    reports = [as_json(analysis) for analysis in analyses]
    return json.dumps(reports[0] if len(reports) == 1 else reports, indent=2, ensure_ascii=False, allow_nan=False)


def as_json(analysis: Analysis) -> dict[str, Json]:
    """Return one campaign's report. Ratios without an interval have `low` and `high` null."""
    campaign = analysis.data.campaign
    return {
        "campaign": campaign["campaign"],
        "device": campaign["device"],
        "comparisons": [_comparison(one) for one in analysis.comparisons],
        "warnings": [_warning(one) for one in analysis.warnings],
        "excluded": [asdict(one) for one in analysis.excluded],
        "power": power_json(analysis),
        "claims": [asdict(one) for one in analysis.claims],
    }


def _comparison(one: Comparison) -> dict[str, Json]:
    interval = one.interval
    states = one.states or one.baseline_states
    quotient = one.value / one.baseline_value if one.value is not None and one.baseline_value else None
    return {
        "environment": one.environment,
        "baseline": one.baseline,
        "workload": one.workload,
        "point": one.point,
        "metric": one.metric.name,
        "kind": one.metric.kind.value,
        "primary": one.primary,
        "unit": one.metric.unit,
        "direction": one.metric.direction.value,
        "value": one.value,
        "baseline_value": one.baseline_value,
        "ratio": interval.ratio if interval else None if states else quotient,
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
        "margin": one.margin,
        "verdict": one.verdict.value,
        "blocks": one.blocks,
        "trials": list(one.trials),
        "warnings": list(one.warnings),
        "reason": one.reason,
        "more_blocks": one.more_blocks,
        "q": one.q,
        "opinions": [
            {
                "method": other.method,
                "ratio": other.interval.ratio,
                "low": other.interval.low,
                "high": other.interval.high,
                "verdict": other.verdict.value,
            }
            for other in one.opinions
        ],
        "states": [asdict(state) for state in one.states],
        "baseline_states": [asdict(state) for state in one.baseline_states],
    }


def _warning(one: QualityWarning) -> dict[str, Json]:
    return {
        "id": one.id,
        "severity": one.severity.value,
        "scope": one.scope,
        "sentence": one.sentence,
        "figures": dict(one.figures),
    }
