"""The study's two sentences on power, as findings that hold on a device or do not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_campaign import STREAM, Making, make_campaign

from primetime.analysis.claims import STUDY, Claim, Holding, claims
from primetime.analysis.cpu_power import Fit, Line, Mean
from primetime.analysis.data import CampaignData, load
from primetime.analysis.energy import Meter
from primetime.analysis.power import PER_JOULE, POWER, Power
from primetime.analysis.scope import scope_of
from primetime.model import Direction, Metric, MetricKind, QualityWarning, Severity

METERED = Power(Meter("plug", "W", 0.001, 10.0, 0.01))
EFFICIENCY = Metric(PER_JOULE, "bit/J", Direction.HIGHER, MetricKind.RATE)
KINDS = {"native": "native", "runc": "runc", "firecracker": "firecracker"}


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> CampaignData:
    """A stream in which the microVM moves three times as much as the container."""
    making = Making(kinds=KINDS, points=(STREAM,), truth={("firecracker", STREAM.name): 3.0}, peer="192.0.2.1:12865")
    return load(make_campaign(tmp_path_factory.mktemp("claims") / "made.sqlite", making))


def powered(data: CampaignData, ratio: float) -> CampaignData:
    """With power beside throughput: 5 W, and `ratio` times as much in the microVM."""
    trials = []
    for trial in data.trials:
        noise = 1 + 0.001 * (trial.block * 7 % 5 - 2)
        watts = 5.0 * (ratio * noise if trial.environment == "firecracker" else 1.0)
        values = {**trial.values, POWER.name: watts, PER_JOULE: trial.values["throughput"] / watts}
        trials.append(replace(trial, values=values))
    metrics = {**data.metrics[STREAM.name], POWER.name: POWER, PER_JOULE: EFFICIENCY}
    return replace(data, trials=tuple(trials), metrics={STREAM.name: metrics})


def line(label: str, slope: Mean, residual: float) -> Line:
    """A line over loads from nothing to two CPUs."""
    fit = Fit(1, 1, slope.value, 3.0, residual, None, None, ((0.0, 3.0), (1.0, 4.5), (2.0, 6.0)))
    return Line(label, (fit,), slope, Mean(3.0, 0.1), residual, False, 3.0, None)


def of_network(data: CampaignData, power: Power = METERED, *warnings: QualityWarning) -> Claim:
    [found] = [one for one in claims(data, power, (), warnings) if one.claim == "microvm-power"]
    return found


def test_more_power_for_three_times_the_throughput_holds_with_the_studys_figures_beside(streams: CampaignData) -> None:
    found = of_network(powered(streams, 1.19))
    assert found.holding is Holding.HOLDS
    assert found.about == ("firecracker", "runc")
    assert "power 1.19" in found.sentence
    assert "(the study's 1.19 lies inside)" in found.sentence
    assert "(the study's 3 lies" in found.sentence


@pytest.mark.parametrize(("ratio", "holding"), [(0.9, Holding.FAILS), (3.5, Holding.FAILS), (1.0, Holding.OPEN)])
def test_it_fails_where_power_is_less_or_the_work_not_worth_it(
    streams: CampaignData, ratio: float, holding: Holding
) -> None:
    assert of_network(powered(streams, ratio)).holding is holding


def test_what_may_have_no_verdict_is_not_claimed(streams: CampaignData) -> None:
    forbids = QualityWarning("memcpy-network", Severity.FORBIDS, scope_of(point=STREAM.name), "memory copies")
    found = of_network(powered(streams, 1.19), METERED, forbids)
    assert (found.holding, found.sentence.endswith("not measured: memory copies.")) == (Holding.UNKNOWN, True)


def test_what_was_not_measured_is_said(streams: CampaignData) -> None:
    assert "too few blocks have power, work per joule" in of_network(streams).sentence
    none = replace(streams, environments={"native": streams.environments["native"]})
    assert "has not a container and a microVM" in of_network(none).sentence
    assert claims(streams, Power(), (), ()) == (), "a study without a meter is not asked"
    more = {**streams.environments, "another": streams.environments["firecracker"]}
    own = replace(streams, study=replace(streams.study, name=STUDY), environments=more)
    said = [one.sentence for one in claims(own, Power(), (), ())]
    assert [words.endswith("not measured: there is no power meter.") for words in said] == [True, True]


@pytest.mark.parametrize(
    ("lines", "holding", "words"),
    [
        (
            (line("native", Mean(1.5, 0.1), 0.1), line("runc", Mean(1.4, 0.2), 0.1)),
            Holding.HOLDS,
            "in all environments",
        ),
        (
            (line("native", Mean(1.5, 0.1), 0.1), line("runc", Mean(1.4, 0.2), 0.5)),
            Holding.FAILS,
            "not hold here in runc",
        ),
        ((line("native", Mean(0.1, 0.2), 0.01),), Holding.FAILS, "not hold here in native"),
        ((line("native", Mean(1.5, None), 0.1),), Holding.OPEN, "not resolved"),
        ((), Holding.UNKNOWN, "no ladder of loads was measured"),
    ],
)
def test_power_follows_cpu(streams: CampaignData, lines: tuple[Line, ...], holding: Holding, words: str) -> None:
    found = claims(streams, METERED, lines, ())[0]
    assert (found.claim, found.holding) == ("power-follows-cpu", holding)
    assert words in found.sentence


def test_an_emulated_device_says_nothing_of_power(streams: CampaignData) -> None:
    marked = QualityWarning("emulated", Severity.FORBIDS, "campaign", "this device is emulated")
    lines = (line("native", Mean(1.5, 0.1), 0.1),)
    assert claims(streams, METERED, lines, (marked,))[0].holding is Holding.UNKNOWN
