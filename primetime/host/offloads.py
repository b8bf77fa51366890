"""What an interface does with segments and checksums, its MTU and its queue: the hops of a network path (contract §4).

The values come by SIOCETHTOOL (Linux uapi/linux/ethtool.h), so no program is needed.
"""

from __future__ import annotations

import array
import fcntl
import json
import socket
import struct

from primetime.host.process import run

SIOCETHTOOL = 0x8946
QUESTIONS = {"sg": 0x18, "tx": 0x16, "rx": 0x14, "tso": 0x1E, "gso": 0x23, "gro": 0x2B}
LIMIT_S = 20.0


def hop_in_words(interface: str) -> str | None:
    """Return "mtu 1500, qdisc noqueue, sg on, tso on, …" of an interface of this host; None without it."""
    shown = run(["ip", "-json", "link", "show", "dev", interface], timeout_s=LIMIT_S, check=False)
    if shown.returncode != 0:
        return None
    link = json.loads(shown.stdout)[0]
    said = [f"mtu {link.get('mtu')}", f"qdisc {link.get('qdisc')}"]
    return ", ".join([*said, *(f"{name} {state}" for name, state in offloads(interface).items())])


def offloads(interface: str) -> dict[str, str]:
    """Return "on" or "off" by offload; what the driver does not answer is left out."""
    found: dict[str, str] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        for name, question in QUESTIONS.items():
            value = array.array("I", [question, 0])
            request = struct.pack("16sP16x", interface.encode(), value.buffer_info()[0])
            try:
                fcntl.ioctl(door, SIOCETHTOOL, request)
            except OSError:
                continue
            found[name] = "on" if value[1] else "off"
    return found


def parse_ethtool(text: str) -> dict[str, str]:
    """The same from what `ethtool -k` prints inside an environment."""
    names = {
        "scatter-gather": "sg",
        "tx-checksumming": "tx",
        "rx-checksumming": "rx",
        "tcp-segmentation-offload": "tso",
        "generic-segmentation-offload": "gso",
        "generic-receive-offload": "gro",
    }
    lines = (line.partition(":") for line in text.splitlines() if not line.startswith(("\t", " ")))
    said = {name: words.split()[0] for name, _, words in lines if words.split()}
    return {short: said[long] for long, short in names.items() if long in said}
