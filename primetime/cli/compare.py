"""`primetime compare CAMPAIGN CAMPAIGN…`: before and after on one device, or one study on several devices."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from primetime.cli import DONE
from primetime.cli.report import analysed, needing_analysis
from primetime.errors import UserError


def configure(parser: argparse.ArgumentParser) -> None:
    """Say what may be typed."""
    parser.description = (
        "Two campaigns of one device: what changed from the first to the second. Campaigns of several devices: what "
        "holds on each, and from five devices up what holds on devices like them."
    )
    parser.add_argument("campaigns", nargs="+", type=Path, metavar="CAMPAIGN", help="campaign files, two or more")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def execute(options: argparse.Namespace) -> int:
    """Print the comparison."""
    if len(options.campaigns) < 2:
        raise UserError("one campaign has nothing to be compared with", "primetime compare BEFORE AFTER")
    analyses = analysed(options.campaigns, None)
    with needing_analysis():
        from primetime.analysis.before_after import before_and_after, differing_facts
        from primetime.analysis.devices import across_devices, device_of
        from primetime.report.comparing import as_json, changes_in_words, devices_in_words
    if len({device_of(one) for one in analyses}) > 1:
        cells = across_devices(analyses)
        print(json.dumps(as_json(cells, "devices"), indent=2) if options.json else devices_in_words(cells))
        return DONE
    if len(analyses) > 2:
        raise UserError("three campaigns of one device are no before and after", "give two of them, or other devices")
    before, after = analyses
    if before.data.campaign["campaign"] == after.data.campaign["campaign"]:
        raise UserError("both files are the same campaign", "primetime compare BEFORE AFTER: two that were run apart")
    changes = before_and_after((before.data, before.warnings), (after.data, after.warnings))
    if not changes:
        raise UserError(
            "these campaigns share no point with the same parameters", "primetime report shows their points"
        )
    names = (before.data.path.name, after.data.path.name)
    facts = differing_facts(before.data, after.data)
    print(json.dumps(as_json(changes, "change"), indent=2) if options.json else changes_in_words(changes, names, facts))
    return DONE
