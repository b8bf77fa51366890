"""The Raspberry Pi's throttling flags over a window: what held at an edge or came up inside, not what was before."""

from __future__ import annotations

from pathlib import Path

import pytest

from primetime.instruments.thermal import THROTTLED, Thermal


@pytest.mark.parametrize(
    ("before", "after", "flags"),
    [
        ("0", "0", 0),
        ("50000", "50000", 0),  # under-voltage and throttling long before this window
        ("50000", "50005", 0x5),
        ("0", "50000", 0x50000),  # came and went inside it
        ("4", "40000", 0x40004),
    ],
)
def test_flags_of_a_window(tmp_path: Path, before: str, after: str, flags: int) -> None:
    path = tmp_path / THROTTLED
    path.parent.mkdir(parents=True)
    path.write_text("0\n", encoding="ascii")
    thermal = Thermal(tmp_path)
    edges = [thermal.parse((text.encode(),)) for text in (before, after)]
    [found] = thermal.window(edges[0], edges[1], 1.0)
    assert (found.metric.name, found.value) == ("throttled", flags)
