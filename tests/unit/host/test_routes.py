"""Which interface is the control interface: where visits arrive."""

from __future__ import annotations

from pathlib import Path

import pytest

from primetime.host import routes

RECORDED = Path(__file__).parents[2] / "recorded/proc-net-route-linux-6.18.txt"


@pytest.mark.parametrize(
    ("came_by", "found"),
    [
        ("", ""),
        ("fe80::1%usb0 40000 fe80::2%usb0 22", "usb0"),
        ("127.0.0.1 40000 127.0.0.1 22", ""),
        ("no.address 40000 127.0.0.1 22", ""),
    ],
)
def test_visits_are_looked_for_where_we_were_started_from(
    came_by: str, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "ROUTES", RECORDED)
    monkeypatch.setenv(routes.CAME_BY, came_by)
    assert routes.control_interface() == (found or "uplink")


def test_no_default_route_means_no_control_interface() -> None:
    assert routes.default_link(RECORDED.read_text().splitlines()[0]) == ""
