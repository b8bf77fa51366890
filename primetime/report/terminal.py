"""The report as plain text: a table per point, a sentence per environment, warnings, what was left out."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator

from primetime.analysis import Analysis
from primetime.analysis.quantities import NOTHING, SPACE
from primetime.analysis.told import standing, variants_of
from primetime.model import Severity
from primetime.report.power_words import (
    CLAIMS,
    ENERGY_HEADS,
    IDLE_HEADS,
    LINE_HEADS,
    energy_rows,
    idle_rows,
    line_rows,
    sentences,
)
from primetime.report.tables import MEAN, OUTSIDE, PointTable, point_tables

WIDTH = 100
NAME_WIDTH = 40
NARROWEST = 40
BASELINE_COLUMN, COST_COLUMN, OUTSIDE_COLUMN = 2, 4, 5
GAP = "  "
MARKS = {Severity.FORBIDS: "forbids a verdict: ", Severity.WARNING: "warning: ", Severity.NOTE: "note: "}


def render_analysis(analysis: Analysis, width: int = WIDTH) -> str:
    """Return one campaign's report as text."""
    width = max(width, NARROWEST)
    sections = [_title(analysis, width)]
    sections += [_table(table, width) for table in point_tables(analysis)]
    if not analysis.findings:
        sections.append("Nothing has been measured yet.")
    sections.append(_listed("In words", (finding.sentence for finding in analysis.findings), width))
    sections += power_lines(analysis, width)
    sections.append(_listed(CLAIMS, (claim.sentence for claim in analysis.claims), width))
    warnings = dict.fromkeys(f"{MARKS[one.severity]}{one.sentence} [{one.id}]" for one in analysis.warnings)
    sections.append(_listed("Warnings", warnings, width))
    sections.append(_listed("Left out", left_out(analysis), width))
    return "\n\n".join(section for section in sections if section).replace(SPACE, " ")


def power_lines(analysis: Analysis, width: int) -> list[str]:
    """The meter's part: in words, then energies, idles and lines as tables."""
    tables = (
        (ENERGY_HEADS, energy_rows(analysis)),
        (IDLE_HEADS, idle_rows(analysis)),
        (LINE_HEADS, line_rows(analysis)),
    )
    said = [_listed("Power and energy", sentences(analysis), width)]
    return said + [_aligned([heads, *rows]) for heads, rows in tables if rows]


def _aligned(lines: list[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        (GAP + GAP.join(cell.ljust(size) for cell, size in zip(line, widths, strict=True))).rstrip() for line in lines
    )


def left_out(analysis: Analysis) -> Iterator[str]:
    """Say what no comparison uses, equal cases counted together."""
    cases = Counter((one.environment, one.point, one.status, one.reason) for one in analysis.excluded)
    for (environment, point, status, reason), count in cases.items():
        trials = "trial" if count == 1 else "trials"
        yield f"{count} {status} {trials} of {environment} in {point}: {reason}"


def _title(analysis: Analysis, width: int) -> str:
    campaign = analysis.data.campaign
    blocks = max((trial.block for trial in analysis.data.trials), default=0)
    kind = " · smoke" if analysis.data.study.smoke else " · quick" if analysis.data.study.quick else ""
    words = (
        f"{analysis.data.study.name} on {campaign['device']}{kind} · {blocks} block{'' if blocks == 1 else 's'} · "
        f"{standing(analysis.data)} · seed {campaign['seed']} · baseline {analysis.baseline}"
    )
    variants = "".join(f" · {variant}" for variant in variants_of(analysis.data))
    words += variants
    means = (
        f"Values: {MEAN}. Ratios: with individual 95{SPACE}% intervals, paired by block. Outside: the part of an "
        "environment's own CPU time that lies outside its limit."
    )
    return "\n".join((*textwrap.wrap(words, width), *textwrap.wrap(means, width)))


def _table(table: PointTable, width: int) -> str:
    lines = _narrowed(_cells(table), width)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    last = len(widths) - 1
    printed = [
        GAP.join(
            cell.ljust(size) if index in (0, last) else cell.rjust(size)
            for index, (cell, size) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return "\n".join((table.heading(), *(GAP + line for line in printed)))


def _width(lines: list[tuple[str, ...]]) -> int:
    widths = (max(map(len, column)) for column in zip(*lines, strict=True))
    return sum(len(GAP) + size for size in widths if size)


def _narrowed(lines: list[tuple[str, ...]], width: int) -> list[tuple[str, ...]]:
    """Leave out what nobody has a figure for; where it is still too wide, what another row or section says as well."""
    for column in (COST_COLUMN, OUTSIDE_COLUMN):
        if all(line[column] in ("", NOTHING) for line in lines[1:]):
            lines = [(*line[:column], "", *line[column + 1 :]) for line in lines]
    for column in (BASELINE_COLUMN, COST_COLUMN):
        if _width(lines) > width:
            lines = [(*line[:column], "", *line[column + 1 :]) for line in lines]
    kept = [index for index, cells in enumerate(zip(*lines, strict=True)) if any(cells)]
    return [tuple(line[index] for index in kept) for line in lines]


def _cells(table: PointTable) -> list[tuple[str, ...]]:
    heads = ("value", table.baseline[:NAME_WIDTH], "ratio [95 %]", table.cost_unit, OUTSIDE, "blocks", "verdict")
    lines: list[tuple[str, ...]] = [("", *heads)]
    for row in table.rows:
        name = row.printed_name
        short = name if len(name) <= NAME_WIDTH else name[: NAME_WIDTH - 1] + "…"
        cells = (row.value, row.baseline_value, row.ratio, row.cost if table.cost_unit else "", row.outside)
        lines.append((short, *cells, row.blocks, row.verdict))
    return lines


def _listed(heading: str, sentences: Iterable[str], width: int) -> str:
    lines = [
        line
        for sentence in sentences
        for line in textwrap.wrap(sentence, width, initial_indent="  - ", subsequent_indent="    ")
    ]
    return "\n".join((heading, *lines)) if lines else ""
