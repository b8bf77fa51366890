"""redfish: what a management controller says of its chassis, over HTTPS.

    [meter.bmc]
    kind = "redfish"
    url = "https://192.168.1.60"
    chassis = "1"
    login_from = "BMC_LOGIN"         # an environment variable that holds user:password; never in the study itself
    trust_any = true                 # accept a self-signed certificate

Reads /redfish/v1/Chassis/ID/Power, or EnvironmentMetrics where that is not there any more.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from primetime.instruments.power.base import (
    TOTAL,
    WATTS,
    Meter,
    Place,
    PowerChannel,
    Reading,
    Setting,
    finite_watts,
    now,
)
from primetime.instruments.power.http_json import dig, get_json

PLACES = (("Power", "PowerControl.0.PowerConsumedWatts"), ("EnvironmentMetrics", "PowerWatts.Reading"))


class Redfish(Meter):
    """See the module."""

    kind = "redfish"
    settings = (
        Setting("url", "", 'e.g. "https://192.168.1.60"', required=True),
        Setting("chassis", "1", "its name below /redfish/v1/Chassis"),
        Setting("login_from", "", "name of an environment variable with user:password"),
        Setting("trust_any", False, "true: accept a self-signed certificate"),
    )

    def channels(self) -> tuple[PowerChannel, ...]:
        missing = "how the controller averages is not documented"
        return (PowerChannel(TOTAL, WATTS, Place.WALL, 1.0, 1.0, 0.0, missing),)

    def read(self) -> Sequence[Reading]:
        login = os.environ.get(self.word("login_from"), "") if self.word("login_from") else ""
        base = f"{self.word('url').rstrip('/')}/redfish/v1/Chassis/{self.word('chassis')}"
        problem: OSError | ValueError = ValueError("no answer")
        for resource, path in PLACES:
            try:
                answer = get_json(f"{base}/{resource}", login, trust_any=bool(self.given["trust_any"]))
                return now({TOTAL: finite_watts(dig(answer, path), path)})
            except (OSError, ValueError) as error:
                problem = error
        raise problem
