"""Campaigns side by side, as text and as JSON: before and after on one device, or a study over several devices."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from primetime.analysis.before_after import Change
from primetime.analysis.devices import FEWEST_DEVICES, AcrossDevices, OnDevice
from primetime.analysis.quantities import SPACE, percent, plain_ratio, quantity, ratio_in_words
from primetime.model import Direction, Interval, Metric, Verdict

WIDTH = 100
FACTS_SHOWN = 12


def changes_in_words(changes: Sequence[Change], names: tuple[str, str], facts: Mapping[str, tuple[str, str]]) -> str:
    """Return before and after as text: a line per change, what else differs, how strong the words are."""
    lines = [f"before {names[0]} · after {names[1]}", ""]
    lines += [*_wrapped([change_in_words(one) for one in changes]), ""]
    if any(one.suggests for one in changes):
        lines += _wrapped([
            "These campaigns only suggest: what lies between them is more than the change. A verdict needs five starts "
            "of the host on each side (blocks.reboot_every), or campaigns that alternate."
        ])  # fmt: skip
    told = [f"{name}: {before} → {after}" for name, (before, after) in facts.items()]
    if told:
        lines += ["", "What else is not the same", *_wrapped(told[:FACTS_SHOWN])]
        if len(told) > FACTS_SHOWN:
            lines.append(f"  - and {len(told) - FACTS_SHOWN} more facts")
    return "\n".join(lines).replace(SPACE, " ")


def change_in_words(one: Change) -> str:
    """Return one change as a sentence."""
    against = f", relative to {one.relative}'s," if one.relative else ""
    what = f"the {one.metric.name.replace('_', ' ')} of {one.environment} in {one.point}{against}"
    unit = "" if one.relative else one.metric.unit
    seen = f"{quantity(one.before, unit)} before, {quantity(one.after, unit)} after"
    boots = f"{one.units[0]} and {one.units[1]} {'boots' if one.suggests else 'stretches'}"
    if one.interval is None or one.verdict is Verdict.NO_VERDICT:
        return f"No verdict on {what}: {one.reason}. Seen: {seen}, {plain_ratio(one.after, one.before)} times; {boots}."
    times = f"{ratio_in_words(one.interval)} times what it was, {seen}, {boots}"
    if one.verdict is Verdict.NOT_RESOLVED:
        return f"It is not resolved whether {what} changed: {times}."
    suggests = "The campaigns suggest that " if one.suggests else ""
    said = f"{suggests}{what} {_claim(one.verdict, one.interval, one.metric, one.margin)}: {times}."
    return said[0].upper() + said[1:]


def devices_in_words(cells: Sequence[AcrossDevices]) -> str:
    """Return a study over several devices as text: a sentence per environment and point, a line per device."""
    lines: list[str] = []
    for one in cells:
        lines += [*_wrapped([across_in_words(one)])]
        lines += [f"      {on_device_in_words(device)}" for device in one.devices]
    return "\n".join(lines).replace(SPACE, " ") if lines else "No primary metric was measured on two devices."


def across_in_words(one: AcrossDevices) -> str:
    """Return one environment at one point as a sentence: general from five devices up."""
    what = f"the {one.metric.name.replace('_', ' ')} of {one.environment} in {one.point}"
    if one.interval is None:
        seen = [device.interval.ratio for device in one.devices if device.interval and not device.reason]
        spread = f" Seen: from {min(seen):.3g} to {max(seen):.3g} times {one.baseline}'s." if seen else ""
        return f"Nothing general is said of {what}: {one.reason}.{spread}"
    measured = f"{ratio_in_words(one.interval)} times {one.baseline}'s over {one.interval.pairs} devices"
    if one.verdict is Verdict.NOT_RESOLVED:
        return f"On devices like these it is not resolved whether {what} differs from {one.baseline}'s: {measured}."
    claim = _claim(one.verdict, one.interval, one.metric, one.margin, of=f"{one.baseline}'s")
    return f"On devices like these {what} {claim}: {measured}."


def on_device_in_words(one: OnDevice) -> str:
    """Return what one device says, in a line."""
    ratio = ratio_in_words(one.interval) if one.interval else "no interval"
    return f"{one.device}: {ratio}, {one.verdict}{f' (not counted: {one.reason})' if one.reason else ''}"


def as_json(cells: Sequence[Change] | Sequence[AcrossDevices], kind: str) -> dict[str, object]:
    """Return {kind, comparisons}: the same as data. Enumerations are their words."""
    return {"kind": kind, "devices_needed": FEWEST_DEVICES, "comparisons": [asdict(one) for one in cells]}


def _claim(verdict: Verdict, interval: Interval, metric: Metric, margin: float, of: str = "") -> str:
    within = f"{margin * 100:g}{SPACE}%"
    if verdict is Verdict.COMPARABLE:
        return f"is comparable to {of} within {within}" if of else f"stayed the same within {within}"
    if verdict is Verdict.NEGLIGIBLE:
        return f"differs from {of}, but by less than {within}" if of else f"changed by less than {within}"
    better = (interval.ratio > 1) == (metric.direction is Direction.HIGHER)
    way = f"{percent(interval.ratio)} {'higher' if interval.ratio > 1 else 'lower'}"
    judged = "which is better" if better else "which is worse"
    return f"is {way} than {of}, {judged}" if of else f"is {way} than before, {judged}"


def _wrapped(sentences: Sequence[str]) -> list[str]:
    return [
        line
        for sentence in sentences
        for line in textwrap.wrap(sentence, WIDTH, initial_indent="  - ", subsequent_indent="    ")
    ]
