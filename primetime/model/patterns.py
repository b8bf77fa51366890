"""What a point does to its file: fio's words for an access pattern, as the parameter `rw` has them."""

from __future__ import annotations

from primetime.model.work import Params

ONLY_READS = ("read", "randread")
ONLY_WRITES = ("write", "randwrite")
MIXED = ("rw", "randrw")  # one half reads, one half writes
WRITING = (*ONLY_WRITES, *MIXED)


def only_reads(params: Params) -> bool:
    """Whether a point says that it does nothing but read."""
    return params.get("rw") in ONLY_READS


def only_writes(params: Params) -> bool:
    """Whether a point says that it does nothing but write."""
    return params.get("rw") in ONLY_WRITES


def writing(params: Params) -> bool:
    """Whether a point says that it writes, be it beside reads."""
    return params.get("rw") in WRITING
