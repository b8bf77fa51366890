"""Whose campaign a file is: one is measured on one device, and a copy of it elsewhere is only to be read."""

from __future__ import annotations

import platform
import shlex

from primetime.errors import UserError
from primetime.store import CampaignFile


def this_device() -> str:
    """This device's name, as a campaign that is begun here holds it."""
    return platform.node()


def is_of_this_device(campaign: CampaignFile) -> bool:
    """Whether the campaign was begun here, by name: nothing else of a device lasts on all of them."""
    return bool(campaign.campaign()["device"] == this_device())


def require_this_device(campaign: CampaignFile) -> None:
    """UserError for another device's campaign: two devices' figures in one file would be compared as one's."""
    if not is_of_this_device(campaign):
        device = campaign.campaign()["device"]
        words = f"{campaign.path} is a campaign of the device {device!r}, not of this one ({this_device()!r})"
        raise UserError(words, going_on_elsewhere(campaign))


def going_on_elsewhere(campaign: CampaignFile) -> str:
    """How to go on with a campaign that bears another device's name."""
    device, path = (shlex.quote(str(one)) for one in (campaign.campaign()["device"], campaign.path))
    return (
        f"go on with it on {device}; a fleet's: primetime fleet resume; "
        f"if only this host's name has changed: hostname {device}, then: primetime resume {path}"
    )
