"""The campaign file: schema, append, query."""

from __future__ import annotations

from primetime.store.campaign_file import CampaignFile
from primetime.store.database import give_to_user
from primetime.store.query import RAW_ENCODING
from primetime.store.records import ClockRelation, Counts, OpenSlot, TrialResult
from primetime.store.schema import VIEW_NAMES

__all__ = [
    "RAW_ENCODING",
    "VIEW_NAMES",
    "CampaignFile",
    "ClockRelation",
    "Counts",
    "OpenSlot",
    "TrialResult",
    "give_to_user",
]
