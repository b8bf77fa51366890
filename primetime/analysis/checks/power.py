"""Contract §10: what a meter cannot tell apart, what it lost, what it does not see, and trials that were throttled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from primetime.analysis.compare import typical
from primetime.analysis.data import CampaignData
from primetime.analysis.energy import Energy, finest_watts
from primetime.analysis.power import IDLES, Power
from primetime.analysis.scope import CAMPAIGN, scope_of
from primetime.model import METERED, QualityWarning, Severity

BITS = {0: "under-voltage", 1: "frequency capped", 2: "throttled", 3: "soft temperature limit"}
FREQUENCY = 0.05  # of the mean frequency
STICKY = 16  # the same bits from here on say "has happened since the host started"


def power_warnings(data: CampaignData, power: Power) -> tuple[QualityWarning, ...]:
    """Run every check that needs the meter."""
    if power.meter is None:
        return ()
    return (*no_energy(power), *too_coarse(data, power), *seen_through_a_filter(power), *unseen(power))


def no_energy(power: Power) -> Iterator[QualityWarning]:
    """Trials and idles without an energy figure: their other figures stand."""
    lost = Counter((one.environment, one.point, one.energy) for one in power.trials if isinstance(one.energy, str))
    of = Counter((one.environment, one.point) for one in power.trials)
    for (label, point, reason), count in lost.items():
        sentence = f"{count} of {of[label, point]} trials of {label} in {point} have no energy figure: {reason}"
        for metric in sorted(METERED):
            yield QualityWarning("no-energy", Severity.WARNING, scope_of(label, point, metric), sentence)
    idles = Counter((one.environment, one.phase, one.energy) for one in power.idles if isinstance(one.energy, str))
    for (label, phase, reason), count in idles.items():
        sentence = f"{count} idles ({IDLES[phase]}) of {label} have no energy figure: {reason}"
        yield QualityWarning("no-idle-energy", Severity.NOTE, scope_of(label, metric="energy_net"), sentence)


def too_coarse(data: CampaignData, power: Power) -> Iterator[QualityWarning]:
    """A difference that is finer than the meter's step is refused, however small its interval."""
    meter = power.meter
    for point in data.points:
        means = {label: typical([e.watts for e in power.energies(point, label)]) for label in data.environments}
        base = means.get(data.baseline)
        for label, own in means.items():
            if meter is None or own is None or base is None or label == data.baseline:
                continue
            seconds = min(energy.seconds for energy in power.energies(point, label))
            finest = finest_watts(meter, seconds)
            if 0 < abs(own - base) < finest:
                sentence = (
                    f"{label} and {data.baseline} differ by {abs(own - base):.3g} W in {point}, "
                    f"less than the {finest:g} W that meter {meter.name} can tell apart"
                )
                for metric in sorted(METERED - {"work_per_joule"}):
                    scope = scope_of(label, point, metric)
                    yield QualityWarning("meter-too-coarse", Severity.FORBIDS, scope, sentence, {"watts": finest})


def seen_through_a_filter(power: Power) -> Iterator[QualityWarning]:
    """A meter that filters over seconds: corrected, and the uncertainty grows."""
    lags = [clock.lag_s for clock in power.clocks.values() if clock.lag_s > 0]
    if lags and power.meter:
        worst = max((e.clock_j / e.joules for one in power.trials if isinstance(e := one.energy, Energy)), default=0.0)
        sentence = (
            f"meter {power.meter.name} filters over {max(lags):.1f} s: energies are corrected for it, and their "
            f"clock uncertainty is up to {100 * worst:.2g} %"
        )
        yield QualityWarning("meter-filters", Severity.NOTE, CAMPAIGN, sentence, {"lag_s": max(lags)})


def unseen(power: Power) -> Iterator[QualityWarning]:
    """What the meter's watts do not contain."""
    if power.meter and "not seen: " in power.meter.words and "not seen: nothing" not in power.meter.words:
        missing = power.meter.words.partition("not seen: ")[2]
        sentence = f"meter {power.meter.name} does not see: {missing}"
        yield QualityWarning("meter-blind", Severity.NOTE, CAMPAIGN, sentence)


def frequency_differs(data: CampaignData) -> Iterator[QualityWarning]:
    """Environments whose CPUs ran at another frequency than the baseline's: CPU time, power and rates hang on it."""
    base = data.baseline
    for point in data.points:
        means = {label: data.means(point, label).get("frequency_mean") for label in data.environments}
        usual = means[base]
        for label, own in means.items():
            if not own or not usual or abs(own / usual - 1) <= FREQUENCY:
                continue
            sentence = (
                f"the CPUs ran at {own / 1e6:.0f} MHz on average in {point} of {label}, at {usual / 1e6:.0f} MHz in "
                f"{base}: CPU time, power and rates are those of different frequencies"
            )
            figures = {"hertz": own, "baseline_hertz": usual}
            yield QualityWarning("frequency-differs", Severity.WARNING, scope_of(label, point), sentence, figures)


def throttled(data: CampaignData) -> Iterator[QualityWarning]:
    """Trials in which the board was throttled or short of voltage: kept, and said."""
    found: dict[tuple[str, str], list[int]] = {}
    for trial in data.trials:
        flags = int(trial.values.get("throttled", 0))
        if flags:
            found.setdefault((trial.environment, trial.point), []).append(flags)
    for (label, point), each in found.items():
        together = 0
        for flags in each:
            together |= flags | flags >> STICKY
        words = ", ".join(name for bit, name in BITS.items() if together >> bit & 1) or f"flags {together:#x}"
        trials = f"{len(each)} trial{'' if len(each) == 1 else 's'}"
        sentence = f"{trials} of {label} in {point} ran under {words}: kept, but not as fast as the board can be"
        yield QualityWarning("throttled", Severity.WARNING, scope_of(label, point), sentence, {"trials": len(each)})
