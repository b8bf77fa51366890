"""The life of a boot: settle → start → prove → touch → files → servers → layouts → trials → stop and verify."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from posixpath import dirname

from primetime.campaign.device import BootStart, Device
from primetime.campaign.inside import seen_inside
from primetime.campaign.metering import AFTER, BEFORE, IDLE_ENVIRONMENT, IDLE_HOST, Metering
from primetime.campaign.proof import prove_threads
from primetime.campaign.signals import Interruption
from primetime.campaign.stopping import WRITTEN, WRITTEN_BEFORE
from primetime.campaign.trial import Booted, Trial
from primetime.environments.base import (
    DATA_DIRECTORY,
    FILE_LIMIT_S,
    ClockOffset,
    Environment,
    Instance,
    failing_as,
)
from primetime.errors import BootFailed, CommandFailed, EnvironmentDied, PrimetimeError
from primetime.model import METERED, Command, Fact, Phase, Point, Recipe, SeriesChunk, TrialStatus, Where
from primetime.store import CampaignFile, ClockRelation, TrialResult
from primetime.workloads import workload

TrialListener = Callable[[int, Point, TrialResult | None], None]  # None: it starts now


SPACER = f"{DATA_DIRECTORY}/.spacer"


@dataclass(frozen=True, slots=True)
class BootRun:
    """What all boots of a campaign share."""

    campaign: CampaignFile
    device: Device
    interruption: Interruption


class Boot:
    """One boot of one environment, with its trials. What is measured goes to the campaign between windows."""

    def __init__(self, run: BootRun, environment: Environment, how: BootStart) -> None:
        self.campaign = campaign = run.campaign
        self.device = device = run.device
        self.interruption = run.interruption
        self.environment = environment
        self.how = how
        self.boot_id = how.number
        self.phases: list[Phase] = []
        self.killed = 0  # of the environment's processes, by the kernel, as far as it was said
        self.metering = Metering(campaign, device, self.boot_id)

    def carry_out(self, trials: Mapping[int, Point], tell: TrialListener) -> None:
        """Measure `trials` (trial id → point) in order. Raises BootFailed, EnvironmentDied, Interrupted."""
        written = self.device.written_bytes()
        host = Fact("host.boot_id", self.device.boot_id())  # at once: a power cut may end this boot
        self.note((host, Fact(WRITTEN_BEFORE, written - self.device.booked_bytes)))
        try:
            with self.metering.recording():
                self.metered(trials, tell)
        finally:
            self.device.booked_bytes = self.device.written_bytes()
            self.note((Fact(WRITTEN, self.device.booked_bytes - written),))
            self.campaign.add_phases(self.boot_id, self.phases)

    def metered(self, trials: Mapping[int, Point], tell: TrialListener) -> None:
        """Pulses, then the gate: what heats the device comes before it cools down (contract §10)."""
        self.where_metered(BEFORE, self.metering.pulses)
        with self.phase("settle"):
            self.metering.settle_after()
            self.note(self.device.settle())
        self.where_metered(IDLE_HOST, self.metering.idle)
        with ExitStack() as stack:
            with self.phase("start"):
                instance = stack.enter_context(self.device.boot(self.environment, self.how))
            with self.explaining(instance):
                self.measure(instance, trials, tell)
            stopped_from = self.device.now()
        self.phases.append(Phase("stop", stopped_from, self.device.now()))
        self.metering.settle_after()
        self.where_metered(AFTER, self.metering.pulses)
        self.metering.settle_after()

    def measure(self, instance: Instance, trials: Mapping[int, Point], tell: TrialListener) -> None:
        """Everything that happens while the environment is up."""
        self.note((Fact("boot.ready_s", instance.ready_at - instance.started_at), *self.how.variation.facts()))
        with self.phase("prove"):
            self.note(instance.equalise())
            self.note(instance.prove_limits())
            self.note(prove_threads(instance.footprint(), self.device.environment_cpus()))
            self.note(seen_inside(instance, self.device.site.peer))
            self.note(self.device.hops(instance.footprint()))
        with self.phase("touch"):
            self.note(instance.touch_memory())
        footprint = instance.footprint()
        size = self.device.footprint_bytes(footprint)
        figures = {"ready_s": instance.ready_at - instance.started_at, "footprint_bytes": float(size)}
        self.note((Fact("boot.footprint_bytes", size),))
        with ExitStack() as stack:
            recipes = self.recipes(trials.values())
            self.provide(instance, recipes, stack)
            self.where_metered(IDLE_ENVIRONMENT, lambda: self.idle(instance))
            sampler = stack.enter_context(self.device.watch(instance.footprint()))
            booted = Booted(instance, sampler, figures, self.how.variation)
            first, began = instance.clock_offset(), self.device.now()
            for trial, point in trials.items():
                self.one_trial(booted, trial, point, tell)
            self.keep_clock(first, instance.clock_offset(), began)
            self.note(sampler.facts())
        self.note(tuple(Fact(f"evidence.{name}", value) for name, value in instance.evidence().items()))

    def provide(self, instance: Instance, recipes: list[Recipe], stack: ExitStack) -> None:
        """Everything that points need before they can run: files, servers as long as `stack` lasts, layouts."""
        with self.phase("files"):
            self.space(instance)
            self.put(instance, recipes)
        with self.phase("servers"):
            self.serve(stack, recipes)
        with self.phase("layout"):
            self.lay_out(instance, recipes)

    def keep_clock(self, first: ClockOffset | None, last: ClockOffset | None, began: float) -> None:
        """Store how the guest's clock related to the host's in this boot, first at host time `began` (contract §4)."""
        if first is None or last is None:
            return
        drift = (first.offset_s - last.offset_s) / (self.device.now() - began) * 1e6
        name, at = f"guest-boot-{self.boot_id}", began + first.offset_s
        self.campaign.add_clock(ClockRelation.seen(name, -first.offset_s, at, drift, first.within_s))

    def idle(self, instance: Instance) -> None:
        """Let the environment be up and do nothing, with nothing left to be written."""
        instance.sync()
        self.device.flush()
        self.metering.idle()

    def where_metered(self, name: str, act: Callable[[], None]) -> None:
        """Do what only a meter needs, as a phase; nothing in a campaign without meters."""
        if self.metering.recorder is not None:
            with self.phase(name):
                act()

    def recipes(self, points: Iterable[Point]) -> list[Recipe]:
        """What the points want that can be measured here."""
        site = self.device.site
        members = [(workload(point.workload), point) for point in points]
        return [member.recipe(point, site) for member, point in members if not member.skip_reason(point, site)]

    def one_trial(self, booted: Booted, trial_id: int, point: Point, tell: TrialListener) -> None:
        """Measure one point and commit what it gave."""
        member = workload(point.workload)
        tell(trial_id, point, None)
        reason = member.skip_reason(point, self.device.site)
        self.campaign.begin_trial(trial_id, self.boot_id)
        if reason:
            result = TrialResult(TrialStatus.SKIPPED, reason)
            chunks: tuple[SeriesChunk, ...] = ()
        else:
            trial = Trial(self.device, member, point, trial_id)
            try:
                result = trial.carry_out(booted)
            finally:
                self.phases.extend(trial.phases)
            result = self.judged(point, result)
            if result.status is TrialStatus.FAILED:
                self.interruption.check()  # it failed while a signal was obeyed: it is to be run again
                result = replace(result, reason=result.reason + self.starved(booted.instance))
            chunks = booted.sampler.chunks()
            self.campaign.add_facts(trial.evidence)
        self.campaign.finish_trial(trial_id, result)
        self.campaign.add_chunks(self.boot_id, chunks)
        self.metering.commit()
        tell(trial_id, point, result)
        if not reason and member.recipe(point, self.device.site).writes:
            with self.phase("rest"):
                self.device.rest_after_write()

    def judged(self, point: Point, result: TrialResult) -> TrialResult:
        """Fail a trial that gives nothing under the name that the study judges by: better now than in the report."""
        wanted = self.campaign.primary(point.name)
        names = {one.metric.name for one in result.measurements}
        own = workload(point.workload).primary(point)
        if result.status is not TrialStatus.DONE or wanted in names | METERED | {own}:
            return result
        reason = f"the study's primary metric {wanted} is not among its figures: {', '.join(sorted(names))}"
        return replace(result, status=TrialStatus.FAILED, reason=reason)

    def space(self, instance: Instance) -> None:
        """Let the files under test lie at another place of the volume than in the last boot."""
        if self.how.variation.spacer_bytes:
            with failing_as("spacer"):
                instance.put(SPACER, bytes(self.how.variation.spacer_bytes))

    def put(self, instance: Instance, recipes: list[Recipe]) -> None:
        """Put the files that points bring along on their side; equal ones once."""
        for file in dict.fromkeys(file for recipe in recipes for file in recipe.files):
            if file.where is Where.PEER:
                self.device.put_on_peer(file)
                continue
            with failing_as(f"file {file.path}"):
                required(instance, ("mkdir", "-p", dirname(file.path)))
                instance.put(file.path, file.content)
                required(instance, ("chmod", f"{file.mode:o}", file.path))

    def serve(self, stack: ExitStack, recipes: list[Recipe]) -> None:
        """Start what must listen before a client can come; equal servers of several points only once."""
        started: set[tuple[str, ...]] = set()
        for step in [step for recipe in recipes for step in recipe.servers]:
            if step.argv in started:
                continue
            started.add(step.argv)
            if step.where is not Where.PEER:
                raise BootFailed("servers", "a server inside the environment is not supported by this workload")
            stack.enter_context(self.device.serve_on_peer(step))

    def lay_out(self, instance: Instance, recipes: list[Recipe]) -> None:
        """Write the files that points read or overwrite: once per boot, equal ones once."""
        laid: set[str] = set()
        for recipe in recipes:
            if recipe.layout_key in laid:
                continue
            laid.add(recipe.layout_key)
            for step in recipe.layout:
                outcome = instance.run(Command(step.argv, step.timeout_s, step.stdin))
                if outcome.returncode != 0:
                    words = (outcome.stderr or outcome.stdout).decode(errors="replace").strip()
                    raise BootFailed("layout", f"{step.argv[0]} ended with {outcome.returncode}: {words[-300:]}")

    @contextmanager
    def explaining(self, instance: Instance) -> Iterator[None]:
        """Let an error of the environment carry its console and its cause, which are gone once the boot is undone."""
        try:
            yield
        except (BootFailed, EnvironmentDied) as error:
            error.console = error.console or instance.console()
            error.message += self.starved(instance)
            raise

    def starved(self, instance: Instance) -> str:
        """Say, behind another reason, that the kernel killed for want of memory since the last call; "" when not."""
        try:
            killed = self.device.memory_kills(instance.footprint())
        except (OSError, LookupError, PrimetimeError):  # what is dead cannot always be looked at
            return ""
        since, self.killed = killed - self.killed, killed
        return f" (the kernel killed {since} of its processes: its memory limit was reached)" if since > 0 else ""

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time a step of the boot."""
        t0 = self.device.now()
        try:
            yield
        finally:
            self.phases.append(Phase(name, t0, self.device.now()))

    def note(self, facts: tuple[Fact, ...]) -> None:
        """Store facts of this boot."""
        scoped = [Fact(fact.name, fact.value, "boot", str(self.boot_id)) for fact in facts]
        self.campaign.add_facts(scoped)


def required(instance: Instance, argv: tuple[str, ...]) -> None:
    """Run a program that must succeed. Raises CommandFailed."""
    outcome = instance.run(Command(argv, FILE_LIMIT_S))
    if outcome.returncode != 0:
        raise CommandFailed(argv, outcome.returncode, outcome.stderr)
