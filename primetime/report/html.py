"""The report as one self-contained HTML file: no script, nothing loaded, every text escaped."""

from __future__ import annotations

from collections.abc import Sequence

from primetime import __version__
from primetime.analysis import Analysis
from primetime.analysis.told import standing, variants_of
from primetime.report.markup import Markup, join, tag
from primetime.report.power_section import power_section
from primetime.report.sections import (
    boot_sections,
    campaign_section,
    exclusion_section,
    overview,
    point_sections,
    reading_section,
    warning_section,
)
from primetime.report.style import STYLE, policy


def html_report(analyses: Sequence[Analysis]) -> str:
    """Return the page for one or several campaigns, one after the other."""
    names = ", ".join(dict.fromkeys(f"{one.data.study.name} on {one.data.campaign['device']}" for one in analyses))
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy()),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", f"primetime: {names}"),
        tag("style", Markup(STYLE)),
    )
    articles = [_article(one, following=index > 0) for index, one in enumerate(analyses)]
    footer = tag("footer", f"primetime {__version__} · figures, series and raw outputs are in the campaign file")
    body = tag("body", tag("main", *articles, footer))
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _article(analysis: Analysis, *, following: bool) -> Markup:
    sections = (
        _header(analysis),
        overview(analysis),
        warning_section(analysis),
        point_sections(analysis),
        power_section(analysis),
        boot_sections(analysis),
        exclusion_section(analysis),
        campaign_section(analysis),
        reading_section(analysis),
    )
    return tag("article", join(*sections), class_="next" if following else None)


def _header(analysis: Analysis) -> Markup:
    campaign, study = analysis.data.campaign, analysis.data.study
    blocks = max((trial.block for trial in analysis.data.trials), default=0)
    quiet = (
        f"{blocks} block{'' if blocks == 1 else 's'}",
        f"{len(analysis.data.boots)} boots",
        f"baseline {analysis.baseline}",
        standing(analysis.data),
        f"seed {campaign['seed']}",
        f"{campaign['created_at']}"[:16].replace("T", " ") + " UTC",
    )
    loud = (["smoke run: no verdicts"] if study.smoke else []) + (["quick: only suggests"] if study.quick else [])
    badges = [tag("span", word, class_="badge loud") for word in loud]
    badges += [tag("span", word, class_="badge loud") for word in variants_of(analysis.data)]
    badges += [tag("span", word, class_="badge") for word in quiet]
    return tag(
        "header",
        tag("h1", study.title or study.name),
        tag("p", f"{study.name} on {campaign['device']}", class_="lead"),
        tag("div", *badges, class_="badges"),
    )
