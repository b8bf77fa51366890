"""A campaign from the command to its end: lock, replay, images, device, survey, runner."""

from __future__ import annotations

import platform
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from primetime.campaign.estimate import boots_s
from primetime.campaign.linux_device import LinuxDevice, Opening
from primetime.campaign.metering import meter_facts
from primetime.campaign.opening import open_device
from primetime.campaign.runner import Run, Runner
from primetime.campaign.signals import Interruption, interruptible
from primetime.campaign.survey import survey
from primetime.campaign.visits import Visits
from primetime.campaign.whose import require_this_device, this_device
from primetime.environments import environment
from primetime.environments.base import BYPASSES, Attachment, Environment
from primetime.errors import UndoFailed, UserError
from primetime.host.ledger import Ledger
from primetime.host.lock import device_lock, require_root
from primetime.host.undo import open_ledger
from primetime.host.volume import queue_directory
from primetime.images.cache import Cache
from primetime.images.guest import build_guest_images
from primetime.model import CampaignState, Fact, Listener, Point, Scalar, StepStarted, Study, Usability, Usable
from primetime.store import CampaignFile
from primetime.store.campaign_file import require_seed
from primetime.store.database import refuse_existing
from primetime.workloads import workload

SEED_BITS = 32


@dataclass(frozen=True, slots=True)
class Opened:
    """A device in our hands, and what it can run."""

    device: LinuxDevice
    environments: dict[str, Environment]
    usability: dict[str, Usability]
    interruption: Interruption
    slowness: float = 1.0  # how many times longer trying them took than the plan has it for such boots, at least 1


@dataclass(frozen=True, slots=True)
class FromFleet:
    """What a controller gives along with a study. `device`: its name for this device."""

    device: str
    visits: Visits
    facts: tuple[Fact, ...] = ()


def default_path(study: Study) -> Path:
    """runs/<study>-<UTC time>.sqlite below the current directory."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    smoke = "-smoke" if study.smoke else ""
    return Path("runs", f"{study.name}{smoke}-{stamp}.sqlite")


def begin(
    study: Study, path: Path, seed: int | None, listener: Listener, fleet: FromFleet | None = None
) -> CampaignState:
    """Carry a study out in a new campaign file. UserError, Interrupted, UndoFailed."""
    require_root("run")
    refuse_existing(path)
    require_seed(seed)
    with opened(study, listener) as session:
        require_usable(session.usability)
        chosen = secrets.randbits(SEED_BITS) if seed is None else seed
        with CampaignFile.create(path, study, chosen, fleet.device if fleet else this_device()) as campaign:
            note_plan(campaign, fleet)
            return carry_out(as_run(campaign, session, listener, fleet), session.device, resumed=False)


def resume(path: Path, listener: Listener, fleet: FromFleet | None = None) -> CampaignState:
    """Go on with a campaign where it stands; one that has ended may still have left something behind.

    Raises UserError, Interrupted, UndoFailed.
    """
    require_root("resume")
    with CampaignFile.open(path, write=True) as campaign:
        if campaign.state() is not CampaignState.RUNNING:
            put_right_if_idle(campaign.study().name, lambda words: listener(StepStarted(words)))
            return campaign.state()
        if fleet is None:  # a controller has its own name for this device, and sends each the campaign that is its own
            require_this_device(campaign)
        with opened(campaign.study(), listener) as session:
            require_usable(session.usability)
            note_plan(campaign, fleet)  # a stop may have come before it
            campaign.interrupted()
            return carry_out(as_run(campaign, session, listener, fleet), session.device, resumed=True)


def require_usable(usability: Mapping[str, Usability]) -> None:
    """UserError where nothing of a study can run: its storage is then not to be conditioned for nothing."""
    if all(found.state is Usable.NO for found in usability.values()):
        why = "; ".join(f"{label}: {found.reason}" for label, found in usability.items())
        raise UserError(f"no environment of this study can run here ({why})", "primetime doctor says what mends it")


def as_run(campaign: CampaignFile, session: Opened, listener: Listener, fleet: FromFleet | None) -> Run:
    """Put together what a runner needs."""
    visits = fleet.visits if fleet else None
    if visits:
        visits.slowness = session.slowness
    study, device, found = campaign.study(), session.device, session.usability
    return Run(campaign, study, device, session.environments, found, listener, visits, session.interruption)


def note_plan(campaign: CampaignFile, fleet: FromFleet | None) -> None:
    """Store the points and what the controller gave; what is there already stays."""
    study = campaign.study()
    campaign.add_points((point, primary_of(study, point)) for point in study.points)
    campaign.add_facts(fleet.facts if fleet else ())


def switched_off(study: Study) -> dict[str, str]:
    """The rules of the contract that a study switched off for all its environments, as it says them."""
    rules = {"flash.precondition": study.flash.precondition, "blocks.aa": study.stopping.aa}
    off = {} if study.quick else {name: "false" for name, kept in rules.items() if not kept}
    return off if study.vary_setup else {**off, "vary_setup": "false"}


def carry_out(run: Run, device: LinuxDevice, resumed: bool) -> CampaignState:
    """Write down what is true now, then run."""
    campaign = run.campaign
    note_setting(run, device)
    if not any(fact.name.startswith("device.limit.") for fact in campaign.facts("campaign")):
        run.listener(StepStarted("measuring the device's own limits"))
        campaign.add_facts(device.calibrate())
    try:
        return Runner(run).carry_out(resumed)
    finally:
        campaign.add_facts(device.wear_facts())


def note_setting(run: Run, device: LinuxDevice) -> None:
    """Store what is true of the machine, and what each environment is here."""
    campaign = run.campaign
    campaign.add_facts((*device.facts(), *meter_facts(run.study.power)))
    tested = queue_directory(device.volume.tested)
    own = tested is not None and queue_directory(campaign.path.resolve().parent) == tested
    campaign.add_facts([Fact("campaign.on_tested_device", own)])
    campaign.add_facts([Fact(f"variant.{name}", value) for name, value in switched_off(run.study).items()])
    for label, member in run.environments.items():
        usability = run.usability[label]
        campaign.add_environment(member.spec, printed_name(member, usability), usability)
        path = "host" if member.attachment is Attachment.HOST else device.opening.study.network_path
        named: dict[str, Scalar | None] = {"network.path": member.own_network or path}
        named[BYPASSES] = member.bypasses_host_cache()
        named.update({f"version.{name}": value for name, value in usability.versions.items()})
        named.update({f"variant.{name}": value for name, value in member.variants().items()})
        campaign.add_facts([Fact(name, value, "environment", label) for name, value in named.items()])


def printed_name(member: Environment, usability: Usability) -> str:
    """An environment's name in reports, which says where its figures are an emulator's."""
    name = member.printed_name()
    return f"{name} [emulated]" if usability.emulated and not usability.tcg else name


def primary_of(study: Study, point: Point) -> str:
    """The one metric of a point that verdicts are about: the study's choice, else the workload's own."""
    chosen = study.primary.get(point.name) or study.primary.get(point.workload)
    return chosen or workload(point.workload).primary(point)


@contextmanager
def opened(study: Study, listener: Listener) -> Iterator[Opened]:
    """Hold the device, put right what a killed run left, open it and try what it can run."""
    with ExitStack() as stack:
        interruption = stack.enter_context(interruptible())
        stack.enter_context(device_lock(study.name))
        ledger = open_ledger()
        put_right(ledger, lambda words: listener(StepStarted(words)))
        members = {spec.label: environment(spec) for spec in study.environments}
        listener(StepStarted("building or finding the images"))
        images = build_guest_images(
            Cache(), platform.machine(), study.images, lambda words: listener(StepStarted(words))
        )
        opening = Opening(study, images, tuple(members.values()), ledger)
        device = stack.enter_context(open_device(opening))
        t0 = device.now()

        def trying(words: str) -> None:
            interruption.check()  # an environment that fails while a signal is obeyed only counts as not usable
            listener(StepStarted(words))

        usability = survey(device, members.values(), trying)
        interruption.check()
        emulated = {label for label, found in usability.items() if found.emulated}
        slowness = max((device.now() - t0) / boots_s(study, emulated), 1.0)
        yield Opened(device, members, usability, interruption, slowness)


def put_right_if_idle(name: str, tell: Callable[[str], None]) -> None:
    """Undo what an ended campaign left; where another one holds the device, what is not undone is that one's."""
    with interruptible(), ExitStack() as stack:
        try:
            stack.enter_context(device_lock(name))
        except UserError:
            return
        put_right(open_ledger(), tell)


def put_right(ledger: Ledger, tell: Callable[[str], None]) -> Sequence[str]:
    """Undo what a killed run left behind. UserError while something cannot be undone: the device is broken."""
    try:
        undone = ledger.replay()
    except UndoFailed as error:
        raise UserError(f"a killed run left something that cannot be undone: {error}", "run: primetime clean") from None
    if undone:
        tell(f"put right what a killed run left ({len(undone)} acts)")
    return undone
