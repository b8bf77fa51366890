"""Contract §4: a peer on another machine is part of what is measured: its tools, its CPU, both ends of the wire."""

from __future__ import annotations

from collections.abc import Iterator

from primetime.analysis.checks.network import is_network
from primetime.analysis.data import CampaignData
from primetime.analysis.scope import scope_of
from primetime.analysis.told import campaign_fact, means
from primetime.model import QualityWarning, Severity

BUSY = 0.80  # of all its CPUs
TOOLS = {"netperf": "netserver", "iperf3": "iperf3"}
SPEEDS = {"here": "network.link_speed_mbit", "there": "peer.link.speed"}
DUPLEX = {"here": "network.link_duplex", "there": "peer.link.duplex"}


def peer_unwatched(data: CampaignData) -> Iterator[QualityWarning]:
    """Nothing is known of the peer's tools and CPU."""
    points = [record.name for record in data.points.values() if is_network(record)]
    if campaign_fact(data, "network.peer") == "far" and campaign_fact(data, "peer.watched") is False:
        for point in points:
            words = "the far peer's versions, CPU use and link are not known: run there: primetime peer"
            yield QualityWarning("peer-unwatched", Severity.WARNING, scope_of(point=point), words)


def peer_busy(data: CampaignData) -> Iterator[QualityWarning]:
    """The peer may be the limit."""
    for record in data.points.values():
        for label in data.environments if is_network(record) else ():
            busy = means(data, record.name, label).get("peer_busy", 0.0)
            if busy > BUSY:
                sentence = (
                    f"the far peer's CPUs were {100 * busy:.0f} % busy in {record.name} of {label}: it may be the limit"
                )
                scope = scope_of(label, record.name)
                yield QualityWarning("peer-busy", Severity.WARNING, scope, sentence, {"busy": busy})


def peer_versions(data: CampaignData) -> Iterator[QualityWarning]:
    """The tool's two halves are of different versions."""
    for workload, tool in TOOLS.items():
        ours, theirs = campaign_fact(data, f"userland.{tool}"), campaign_fact(data, f"peer.{tool}")
        used = [record.name for record in data.points.values() if record.point.workload == workload]
        if theirs and ours and theirs != ours:
            for point in used:
                sentence = f"{tool} is {theirs} on the peer and {ours} in the userland"
                yield QualityWarning("peer-differs", Severity.NOTE, scope_of(point=point), sentence)


def link(data: CampaignData) -> Iterator[QualityWarning]:
    """Half duplex, or two ends of different speed: the wire is not what it seems."""
    speeds = {end: str(campaign_fact(data, name)) for end, name in SPEEDS.items()}
    known = {end: speed for end, speed in speeds.items() if speed.isdigit()}
    said = [f"half duplex {end}" for end, name in DUPLEX.items() if campaign_fact(data, name) == "half"]
    if len(set(known.values())) > 1:
        said.append(f"{known['here']} Mbit/s here and {known['there']} Mbit/s there")
    for record in data.points.values() if said else ():
        if is_network(record):
            sentence = f"the link to the far peer: {', '.join(said)}"
            yield QualityWarning("link", Severity.WARNING, scope_of(point=record.name), sentence)
