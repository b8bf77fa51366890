"""What an isolation layer's own counters say of one trial: read at both edges, outside the window."""

from __future__ import annotations

from primetime.environments.base import Instance
from primetime.model import Fact

PREFIX = "evidence."
RAW_PREFIX = "evidence."


class TrialEvidence:
    """Counters of an instance from now on. What the layer wrote until now belongs to no trial."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.before = instance.evidence()
        instance.records()

    def gained(self, trial_id: int) -> tuple[tuple[Fact, ...], dict[str, bytes]]:
        """Return what was counted since, as facts of the trial, and what the layer wrote meanwhile, as raw output.

        Words (a version, a mode) are no counters: they stay with the boot.
        """
        after = self.instance.evidence()
        gains = {
            name: value - float(self.before.get(name, 0.0))
            for name, value in after.items()
            if isinstance(value, int | float) and isinstance(self.before.get(name, 0.0), int | float)
        }
        facts = tuple(Fact(f"{PREFIX}{name}", value, "trial", str(trial_id)) for name, value in gains.items())
        return facts, {f"{RAW_PREFIX}{name}": content for name, content in self.instance.records().items()}
