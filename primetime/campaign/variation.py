"""Setup randomisation: what must not matter is another in every boot, and recorded (Mytkowicz et al. 2009).

The size of the environment variables, where files lie on the volume, the MAC address and the local ports can flip a
conclusion when they are frozen at one lucky value. They are a pure function of the campaign's seed and the boot.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from primetime.model import Fact

MOST_PADDING = 4096  # bytes of environment variables, up to a page
MOST_SPACERS = 256  # blocks of 4 KiB in front of the files under test, up to 1 MiB
SPACER = 4096
FIRST_PORT, PORTS = 20_000, 10_000  # below the kernel's own choice of local ports, above the tools' servers
STRIDE = 37  # has no factor in common with PORTS: a port comes again only after all others
VARIABLE = "PRIMETIME_PADDING"


@dataclass(frozen=True, slots=True)
class Variation:
    """One boot's setup. `spacer_bytes`: of a file written first on the volume; `mac`: "" for the usual one;
    `first_port`: where the local ports of its trials begin, 0 where the kernel chooses."""

    padding_bytes: int = 0
    spacer_bytes: int = 0
    mac: str = ""
    first_port: int = 0

    def environment(self) -> dict[str, str]:
        """Return the variables that a measured program gets beside its own."""
        return {VARIABLE: "x" * self.padding_bytes} if self.padding_bytes else {}

    def local_port(self, trial: int) -> int:
        """Return the local port of a trial's connection; 0: the kernel chooses."""
        return FIRST_PORT + (self.first_port + trial * STRIDE) % PORTS if self.first_port else 0

    def facts(self) -> tuple[Fact, ...]:
        """Return what was varied, as facts of the boot."""
        return (
            Fact("setup.padding_bytes", self.padding_bytes),
            Fact("setup.spacer_bytes", self.spacer_bytes),
            Fact("setup.mac", self.mac or None),
            Fact("setup.first_port", self.first_port or None),
        )


def variation(seed: int, boot: int) -> Variation:
    """Return the setup of a boot."""
    drawn = hashlib.sha256(f"{seed} setup of boot {boot}".encode()).digest()
    numbers = [int.from_bytes(drawn[at : at + 4], "big") for at in range(0, 16, 4)]
    mac = "02:70:74:" + ":".join(f"{byte:02x}" for byte in drawn[16:19])
    return Variation(
        padding_bytes=numbers[0] % MOST_PADDING,
        spacer_bytes=numbers[1] % MOST_SPACERS * SPACER,
        mac=mac,
        first_port=1 + numbers[2] % PORTS,
    )
