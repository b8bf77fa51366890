"""What a campaign asks before it touches anything."""

from __future__ import annotations

import pytest

from primetime.campaign.session import require_usable
from primetime.errors import UserError
from primetime.model import Usability, Usable

GONE = Usability("qemu", Usable.NO, "qemu is not installed", "apt-get install qemu-system-x86")


def test_a_study_of_which_nothing_can_run_writes_nothing() -> None:
    with pytest.raises(UserError, match=r"no environment .* \(vm: qemu is not installed\)") as refused:
        require_usable({"vm": GONE})
    assert "primetime doctor" in refused.value.hint


def test_one_that_runs_is_enough() -> None:
    require_usable({"vm": GONE, "native": Usability("native", Usable.CAVEAT)})
