"""A campaign from the command to its end: lock, replay, images, device, survey, runner."""

from __future__ import annotations

import platform
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from primetime.campaign.linux_device import LinuxDevice, Opening
from primetime.campaign.metering import meter_facts
from primetime.campaign.opening import open_device
from primetime.campaign.runner import Run, Runner
from primetime.campaign.signals import interruptible
from primetime.campaign.survey import survey
from primetime.environments import environment
from primetime.environments.base import Attachment, Environment
from primetime.errors import UndoFailed, UserError
from primetime.host.ledger import Ledger
from primetime.host.lock import device_lock, require_root
from primetime.host.undo import open_ledger
from primetime.images.cache import Cache
from primetime.images.guest import build_guest_images
from primetime.model import CampaignState, Fact, Listener, Point, StepStarted, Study, Usability
from primetime.store import CampaignFile
from primetime.workloads import workload

SEED_BITS = 32


@dataclass(frozen=True, slots=True)
class Opened:
    """A device in our hands, and what it can run."""

    device: LinuxDevice
    environments: dict[str, Environment]
    usability: dict[str, Usability]


def default_path(study: Study) -> Path:
    """runs/<study>-<UTC time>.sqlite below the current directory."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    smoke = "-smoke" if study.smoke else ""
    return Path("runs", f"{study.name}{smoke}-{stamp}.sqlite")


def begin(study: Study, path: Path, seed: int | None, listener: Listener) -> CampaignState:
    """Carry a study out in a new campaign file. UserError, Interrupted, UndoFailed."""
    require_root("run")
    if path.exists():
        raise UserError(f"{path} exists already", f"continue it with: primetime resume {path}")
    with opened(study, listener) as session:
        chosen = secrets.randbits(SEED_BITS) if seed is None else seed
        with CampaignFile.create(path, study, chosen, platform.node()) as campaign:
            for point in study.points:
                campaign.add_point(point, primary_of(study, point))
            return carry_out(campaign, session, listener, resumed=False)


def resume(path: Path, listener: Listener) -> CampaignState:
    """Go on with a campaign where it stands. UserError, Interrupted, UndoFailed."""
    require_root("resume")
    with CampaignFile.open(path, write=True) as campaign:
        if campaign.state() is not CampaignState.RUNNING:
            return campaign.state()
        with opened(campaign.study(), listener) as session:
            campaign.interrupted()
            return carry_out(campaign, session, listener, resumed=True)


def carry_out(campaign: CampaignFile, session: Opened, listener: Listener, resumed: bool) -> CampaignState:
    """Write down what is true now, then run."""
    campaign.add_facts((*session.device.facts(), *meter_facts(campaign.study().power)))
    if not campaign.study().vary_setup:
        campaign.add_facts([Fact("variant.vary_setup", False)])
    for label, member in session.environments.items():
        campaign.add_environment(member.spec, member.printed_name(), session.usability[label])
        path = "host" if member.attachment is Attachment.HOST else session.device.opening.study.network_path
        campaign.add_facts([Fact("network.path", path, "environment", label)])
        versions = session.usability[label].versions.items()
        campaign.add_facts([Fact(f"version.{name}", value, "environment", label) for name, value in versions])
    study = campaign.study()
    if not any(fact.name.startswith("device.limit.") for fact in campaign.facts("campaign")):
        listener(StepStarted("measuring the device's own limits"))
        campaign.add_facts(session.device.calibrate())
    run = Run(campaign, study, session.device, session.environments, session.usability, listener)
    return Runner(run).carry_out(resumed)


def primary_of(study: Study, point: Point) -> str:
    """The one metric of a point that verdicts are about: the study's choice, else the workload's own."""
    chosen = study.primary.get(point.name) or study.primary.get(point.workload)
    return chosen or workload(point.workload).primary(point)


@contextmanager
def opened(study: Study, listener: Listener) -> Iterator[Opened]:
    """Hold the device, put right what a killed run left, open it and try what it can run."""
    with ExitStack() as stack:
        stack.enter_context(interruptible())
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
        usability = survey(device, members.values(), lambda words: listener(StepStarted(words)))
        yield Opened(device, members, usability)


def put_right(ledger: Ledger, tell: Callable[[str], None]) -> Sequence[str]:
    """Undo what a killed run left behind. UserError while something cannot be undone: the device is broken."""
    try:
        undone = ledger.replay()
    except UndoFailed as error:
        raise UserError(f"a killed run left something that cannot be undone: {error}", "run: primetime clean") from None
    if undone:
        tell(f"put right what a killed run left ({len(undone)} acts)")
    return undone
