"""The campaign: blocks of slots until nothing is left to learn, resumable after any stop.

Block k is a pure function of (study, seed, k, points still open); a slot is filled by an attempt; a boot
that died leaves its slot to another attempt, finished trials in it kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from primetime.campaign.boot import Boot, BootRun
from primetime.campaign.device import Device, boot_start
from primetime.campaign.estimate import estimate_study
from primetime.campaign.pacing import paced_points
from primetime.campaign.plan import plan_block
from primetime.campaign.progress import Progress, figure_in_words
from primetime.campaign.signals import Interruption
from primetime.campaign.stopping import boot_ids_before, open_points, stop_reason, worn_out
from primetime.campaign.variation import Variation, variation
from primetime.campaign.visits import Visits
from primetime.environments.base import Environment
from primetime.errors import (
    BootFailed,
    CommandFailed,
    CommandTimeout,
    EnvironmentDied,
    Interrupted,
    UndoFailed,
    UserError,
)
from primetime.model import (
    BlockStarted,
    BootEnded,
    BootStarted,
    BootStatus,
    CampaignEnded,
    CampaignStarted,
    CampaignState,
    EnvironmentSurveyed,
    Listener,
    Phase,
    PhaseEnded,
    Point,
    Study,
    TrialEnded,
    TrialStarted,
    Usability,
    Usable,
    VisitOpened,
)
from primetime.store import CampaignFile, OpenSlot, TrialResult
from primetime.workloads import workload

ATTEMPTS = 2  # boots per slot; one that we interrupted ourselves does not count


@dataclass(frozen=True, slots=True)
class Run:
    """Everything a campaign is carried out with. `environments` and `usability` by label."""

    campaign: CampaignFile
    study: Study
    device: Device
    environments: Mapping[str, Environment]
    usability: Mapping[str, Usability]
    listener: Listener
    visits: Visits | None = None  # None: nobody is to visit this device while it measures
    interruption: Interruption = field(default_factory=Interruption)


class Runner:
    """Carries a campaign out, from where it stands."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.campaign = run.campaign
        self.study = run.study
        self.points = {point.name: point for point in run.study.points}
        self.progress = Progress(run.campaign, estimate_study(run.study, self.emulated(), run.device.site))

    def carry_out(self, resumed: bool) -> CampaignState:
        """Run blocks until the study is done; return why it stopped. Raises Interrupted, UndoFailed."""
        self.tell_start(resumed)
        self.points = paced_points(self.run)
        index = 0
        while True:
            index += 1
            state = stop_reason(self.campaign, self.study, index, self.emulated())
            if index not in self.campaign.blocks():
                if state is not None:
                    break
                still_open = open_points(self.campaign, self.study, index, self.emulated())
                self.campaign.plan_block(
                    plan_block(self.study, self.campaign.seed(), index, still_open, self.emulated())
                )
            self.check_reboot(index)
            if self.carry_out_block(index):
                self.ask_reboot(index)
        self.campaign.set_state(state)
        counts = self.campaign.counts()
        self.run.listener(CampaignEnded(str(self.campaign.path), state, counts.failed, counts.skipped))
        return state

    def tell_start(self, resumed: bool) -> None:
        """Announce the campaign and what of it cannot be measured here."""
        labels, points = tuple(self.run.environments), tuple(self.points)
        estimate = self.progress.estimate
        path, name, seed = str(self.campaign.path), self.study.name, self.campaign.seed()
        self.run.listener(CampaignStarted(path, name, seed, labels, points, estimate, resumed))
        for label, usability in self.run.usability.items():
            self.run.listener(EnvironmentSurveyed(label, usability.state, usability.reason, usability.remedy))

    def emulated(self) -> frozenset[str]:
        """Labels whose figures get one block and no verdict (contract §8)."""
        return frozenset(label for label, usability in self.run.usability.items() if usability.emulated)

    def carry_out_block(self, index: int) -> bool:
        """Let visitors in, then fill every slot of a block; return whether anything was left to do."""
        slots = self.campaign.open_slots(index)
        if not slots:
            return False
        self.let_in(index, len(slots))
        self.run.listener(BlockStarted(index, self.study.stopping.max_blocks, len(slots), self.progress.eta_s()))
        for slot in slots:
            if worn_out(self.campaign, self.study):
                self.campaign.skip_slot(slot.slot_id, "flash.max_bytes_written is reached")
            else:
                self.fill(slot)
            if self.run.visits:
                self.run.visits.slot_ended()
        return True

    def let_in(self, index: int, slots: int) -> None:
        """Hold a visiting interval open before block `index`, and say when the next one will be."""
        visits = self.run.visits
        if visits is None:
            return
        alone = replace(self.study, stopping=replace(self.study.stopping, max_blocks=1))
        whole_s = visits.expected_s(estimate_study(alone, self.emulated(), self.run.device.site).seconds)
        expected_s = whole_s * slots / self.campaign.slots(index)  # of a block that was begun only the rest is left
        self.run.listener(VisitOpened(visits.block, visits.open_until()))
        visits.receive(expected_s)
        visits.begin_block(index, slots, expected_s)

    def ask_reboot(self, index: int) -> None:
        """Stop after every k-th block for a reboot of the host, where the study asks for it (contract §8)."""
        every = self.study.stopping.reboot_every
        if every and index % every == 0 and index < self.study.stopping.max_blocks:
            raise Interrupted(f"reboot this host now, then: primetime resume {self.campaign.path}")

    def check_reboot(self, index: int) -> None:
        """UserError when the reboot that the study asks for before this block has not happened."""
        every = self.study.stopping.reboot_every
        if not every or index == 1 or (index - 1) % every or not self.campaign.open_slots(index):
            return
        if self.run.device.boot_id() in boot_ids_before(self.campaign, index):
            words = f"the study asks for a reboot of the host between blocks {index - 1} and {index}"
            raise UserError(words, f"reboot, then: primetime resume {self.campaign.path}")

    def fill(self, slot: OpenSlot) -> None:
        """Attempt a slot until all its trials have ended, or it has had its attempts."""
        label = slot.slot.environment
        usability = self.run.usability[label]
        if usability.state is Usable.NO:
            self.campaign.skip_slot(slot.slot_id, usability.reason)
            return
        attempts = slot.attempts
        reason = ""
        while attempts < ATTEMPTS:
            attempts += 1
            reason = self.attempt(slot.slot_id)
            self.run.interruption.check()
            if not self.campaign.open_slot(slot.slot_id).remaining_points:
                return  # what died at its very end leaves nothing to try again
        self.campaign.fail_slot(slot.slot_id, reason or "its boots died before")

    def attempt(self, slot_id: int) -> str:
        """Boot once for a slot and run what is left of it; return why that failed, "" when it did not."""
        slot = self.campaign.open_slot(slot_id)
        trials = {trial: self.points[name] for trial, name in slot.remaining_points}
        boot_id = self.campaign.begin_boot(slot_id, self.run.device.now())
        self.run.listener(BootStarted(boot_id, slot.slot))
        environment = self.run.environments[slot.slot.environment]
        varied = variation(self.campaign.seed(), boot_id) if self.study.vary_setup else Variation()
        start = boot_start(boot_id, self.run.usability[slot.slot.environment].tcg, self.run.device.emulation())
        how = replace(start, variation=varied)
        boot = Boot(BootRun(self.campaign, self.run.device, self.run.interruption), environment, how)
        status, reason = BootStatus.FAILED, "primetime failed"  # what an error that nobody expects leaves behind
        try:
            with self.run.interruption.outranking():
                boot.carry_out(trials, lambda trial, point, result: self.tell_trial(boot_id, trial, point, result))
            status, reason = BootStatus.DONE, ""
        except (BootFailed, EnvironmentDied, CommandFailed, CommandTimeout) as error:
            status, reason = BootStatus.FAILED, error.message
            self.campaign.add_raw(boot_id, {"console": getattr(error, "console", b"")})
            self.reopen_running(boot_id, f"its boot died: {reason}")
        except Interrupted as error:
            status, reason = BootStatus.INTERRUPTED, error.message
            self.reopen_running(boot_id, error.message)
            raise
        except UndoFailed as error:
            reason = error.message
            raise
        finally:
            self.campaign.end_boot(boot_id, status, reason, self.run.device.now())
            self.tell_boot(boot, slot, status, reason)
        return reason

    def reopen_running(self, boot_id: int, reason: str) -> None:
        """Plan the trial that was under way in a dead boot once more."""
        for trial in self.campaign.running_trials(boot_id):
            self.campaign.reopen(trial, reason)

    def tell_boot(self, boot: Boot, slot: OpenSlot, status: BootStatus, reason: str) -> None:
        """Tell listeners how a boot went."""
        for phase in boot.phases:
            self.run.listener(phase_event(boot.boot_id, phase))
        self.run.listener(BootEnded(boot.boot_id, slot.slot, status, reason))

    def tell_trial(self, boot_id: int, trial: int, point: Point, result: TrialResult | None) -> None:
        """Tell listeners that a trial starts (`result` None) or how it ended."""
        label = self.campaign.environment_of(trial)
        if result is None:
            self.run.interruption.check()
            self.run.listener(TrialStarted(trial, boot_id, label, point.name))
            return
        figure = figure_in_words(result.measurements, workload(point.workload).primary(point))
        done, of = self.progress.done_of()
        self.run.listener(
            TrialEnded(
                trial, boot_id, label, point.name, result.status, result.reason, figure, done, of, self.progress.eta_s()
            )
        )


def phase_event(boot_id: int, phase: Phase) -> PhaseEnded:
    """A phase as listeners hear of it."""
    return PhaseEnded(boot_id, phase.trial, phase.name, phase.t0, phase.t1)
