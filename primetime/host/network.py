"""The network under test: a bridge with NAT for environments, a namespace beyond it as peer.

Addresses lie in 198.18.0.0/15, which RFC 2544 sets apart for benchmarks. The path has a name (contract §4):
`bridge+nat`, as users have it: the peer is behind the host, native talks to it directly, containers and VMs
through the bridge and masquerading; `routed`: the same without masquerading; `l2bridge`: the peer is plugged
into the bridge itself. The interface that leads to the outside is never enslaved.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from primetime.errors import UserError
from primetime.host.ledger import Act, Ledger
from primetime.host.process import require_program, run

BRIDGE = "ptbr0"
BRIDGE_ADDRESS = "198.18.0.1"
BRIDGE_NETWORK = "198.18.0.0/24"
PREFIX = 24
NAMESPACES = Path("/run/netns")
PEER_NAMESPACE = "pt-peer"
PEER_LINK = "ptpeer0"
PEER_GATEWAY = "198.18.1.1"
PEER_ADDRESS = "198.18.1.2"
BRIDGED_PEER_ADDRESS = "198.18.0.2"
NFT_TABLE = "primetime"
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
HOSTS = 200  # addresses .10 to .209, used in turn


@dataclass(frozen=True, slots=True)
class Port:
    """One place at the bridge. `namespace` is "" for a tap."""

    interface: str
    namespace: str
    address: str
    mac: str


def ip(lines: Sequence[str]) -> None:
    """Run several `ip` commands in one process, in order; CommandFailed at the first that fails."""
    run(["ip", "-batch", "-"], stdin="\n".join(lines).encode() + b"\n", timeout_s=20)


@contextmanager
def named_namespaces(ledger: Ledger) -> Iterator[None]:
    """Let namespaces have names; `ip netns` mounts a directory for that and never takes it away again."""
    if NAMESPACES.is_dir():  # somebody's, and theirs to keep
        yield
        return
    with ledger.undone(Act("namespaces", {"path": str(NAMESPACES)})):
        yield


@contextmanager
def bridge(ledger: Ledger, masquerade: bool) -> Iterator[None]:
    """Make the bridge with forwarding, and NAT unless it is only routed; undo all of it at the end."""
    if masquerade:
        require_program("nft", "apt-get install nftables")
    check_routes()
    with ExitStack() as stack:
        stack.enter_context(ledger.undone(Act("link", {"name": BRIDGE})))
        ip([
            f"link add {BRIDGE} type bridge stp_state 0 forward_delay 0",
            f"link set {BRIDGE} addrgenmode none",
            f"link set {BRIDGE} up",
            f"address add {BRIDGE_ADDRESS}/{PREFIX} dev {BRIDGE}",
        ])  # fmt: skip
        original = FORWARDING.read_text(encoding="ascii").strip()
        stack.enter_context(ledger.undone(Act("write", {"path": str(FORWARDING), "value": original})))
        FORWARDING.write_text("1", encoding="ascii")
        if not masquerade:
            yield
            return
        stack.enter_context(ledger.undone(Act("nft-table", {"name": NFT_TABLE})))
        rules = (
            f"table ip {NFT_TABLE} {{\n  chain postrouting {{\n    type nat hook postrouting priority 100;\n"
            f'    ip saddr {BRIDGE_NETWORK} oifname != "{BRIDGE}" masquerade\n  }}\n}}\n'
        )
        run(["nft", "-f", "-"], stdin=rules.encode(), timeout_s=20)
        yield


def check_routes() -> None:
    """UserError when this host already uses our addresses."""
    routes = run(["ip", "-4", "route", "show", "root", "198.18.0.0/15"], timeout_s=20).stdout.decode()
    if routes.strip():
        raise UserError(
            f"this host already routes 198.18.0.0/15 ({routes.split(chr(10))[0].strip()})",
            "primetime clean removes what a killed run left; else take that route away while measuring",
        )


@contextmanager
def peer_namespace(ledger: Ledger, in_bridge: bool) -> Iterator[str]:
    """Make the peer's namespace, behind the host or plugged into the bridge; yield its address."""
    behind = f"address add {PEER_GATEWAY}/{PREFIX} dev {PEER_LINK}"
    host_end = f"link set {PEER_LINK} master {BRIDGE}" if in_bridge else behind
    address, gateway = (BRIDGED_PEER_ADDRESS, BRIDGE_ADDRESS) if in_bridge else (PEER_ADDRESS, PEER_GATEWAY)
    with ExitStack() as stack:
        stack.enter_context(ledger.undone(Act("namespace", {"name": PEER_NAMESPACE})))
        stack.enter_context(ledger.undone(Act("link", {"name": PEER_LINK})))
        ip([
            f"netns add {PEER_NAMESPACE}",
            f"link add {PEER_LINK} type veth peer name eth0 netns {PEER_NAMESPACE}",
            f"link set {PEER_LINK} addrgenmode none",
            f"link set {PEER_LINK} up",
            host_end,
        ])  # fmt: skip
        inside(PEER_NAMESPACE, [
            "link set lo up",
            "link set eth0 addrgenmode none",
            "link set eth0 up",
            f"address add {address}/{PREFIX} dev eth0",
            f"route add default via {gateway}",
        ])  # fmt: skip
        yield address


def inside(namespace: str, lines: Sequence[str]) -> None:
    """Run several `ip` commands in a named namespace."""
    run(["ip", "-netns", namespace, "-batch", "-"], stdin="\n".join(lines).encode() + b"\n", timeout_s=20)


def address_of(number: int) -> tuple[str, str]:
    """Return the address and MAC of boot `number`: addresses are used in turn, MACs are local ones."""
    host = 10 + number % HOSTS
    return f"198.18.0.{host}", f"02:70:74:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"


@contextmanager
def namespace_port(number: int, ledger: Ledger, mac: str = "") -> Iterator[Port]:
    """Make a network namespace whose eth0 is a veth in the bridge; `mac` "": the one of this number."""
    name, link = f"pt-b{number}", f"ptb{number}"
    address, usual = address_of(number)
    mac = mac or usual
    with ExitStack() as stack:
        stack.enter_context(ledger.undone(Act("namespace", {"name": name})))
        stack.enter_context(ledger.undone(Act("link", {"name": link})))
        ip([
            f"netns add {name}",
            f"link add {link} type veth peer name eth0 address {mac} netns {name}",
            f"link set {link} addrgenmode none master {BRIDGE}",
            f"link set {link} up",
        ])  # fmt: skip
        inside(name, [
            "link set lo up",
            "link set eth0 addrgenmode none",
            "link set eth0 up",
            f"address add {address}/{PREFIX} dev eth0",
            f"route add default via {BRIDGE_ADDRESS}",
        ])  # fmt: skip
        yield Port(link, name, address, mac)


@contextmanager
def tap_port(number: int, ledger: Ledger, mac: str = "") -> Iterator[Port]:
    """Make a tap device in the bridge; `mac` (of what is behind it) "": the one of this number."""
    link = f"ptb{number}"
    address, usual = address_of(number)
    mac = mac or usual
    with ledger.undone(Act("link", {"name": link})):
        ip([
            f"tuntap add {link} mode tap vnet_hdr",
            f"link set {link} addrgenmode none master {BRIDGE}",
            f"link set {link} up",
        ])  # fmt: skip
        yield Port(link, "", address, mac)
