"""Contract §4: a ratio that crosses kernels, or two ways through the network, with what differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from primetime.analysis.checks.network import is_network
from primetime.analysis.data import CampaignData
from primetime.analysis.scope import scope_of
from primetime.analysis.told import Value, boot_facts, campaign_fact, environment_fact
from primetime.model import QualityWarning, Severity

TCP = ("tcp.rmem", "tcp.wmem", "tcp.congestion_control", "path.inside.mtu")
PATH = ("path.inside.qdisc", "path.inside.offloads")
CONFIG, GUEST_CONFIG = "kernel.config.", "guest.kernel.config."
MITIGATION = "mitigation."
Differences = dict[str, float | str]


def kernels_differ(data: CampaignData) -> Iterator[QualityWarning]:
    """A ratio that crosses kernels; the sentence counts what is known to differ, the figures say it."""
    facts = boot_facts(data)
    base = data.baseline
    for label, mine in facts.items():
        theirs = facts.get(base, {})
        kernels = mine.get("kernel.release"), theirs.get("kernel.release")
        if None in kernels or kernels[0] == kernels[1]:
            continue
        found = differences(data, mine, theirs)
        known = ", ".join(short(found)) or "nothing else is known of it"
        sentence = f"{label} runs on kernel {kernels[0]}, {base} on {kernels[1]}: the ratio crosses kernels ({known})"
        yield QualityWarning("kernel-differs", Severity.NOTE, scope_of(label), sentence, found)


def differences(data: CampaignData, mine: Mapping[str, Value], theirs: Mapping[str, Value]) -> Differences:
    """What is known of both kernels and not equal, as "mine against theirs" by fact."""
    own, other = {**mine}, {**theirs}
    if "guest.kernel" in mine:
        for fact in data.facts:
            name = fact.name.removeprefix(GUEST_CONFIG)
            if fact.scope == "campaign" and name != fact.name and campaign_fact(data, "kernel.config_known"):
                own[CONFIG + name], other[CONFIG + name] = fact.value, campaign_fact(data, CONFIG + name)
    names = ("kernel.version", "kernel.page_bytes", "tcp.rmem", "tcp.wmem")
    told = [name for name in own if name in names or name.startswith((CONFIG, MITIGATION))]
    release: Differences = {"kernel.release": f"{mine['kernel.release']} against {theirs['kernel.release']}"}
    changed: Differences = {
        name: f"{plain(own[name])} against {plain(other[name])}"
        for name in told
        if name in other and own[name] != other[name]
    }
    return release | changed


def plain(value: Value) -> str:
    """A build option that is not set is None."""
    return "not set" if value is None else str(value)


def short(found: Differences) -> Iterator[str]:
    """The differences that fit into a sentence: HZ, page size and TCP buffers with values, the rest counted."""
    named = {f"{CONFIG}HZ": "HZ", "kernel.page_bytes": "page size", "tcp.rmem": "tcp_rmem", "tcp.wmem": "tcp_wmem"}
    for name, words in named.items():
        if name in found:
            yield f"{words} {found[name]}"
    for prefix, words in ((CONFIG, "build option"), (MITIGATION, "mitigation")):
        names = [name.removeprefix(prefix) for name in found if name.startswith(prefix) and name not in named]
        if names:
            listed = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
            yield f"{len(names)} {words}{'s' if len(names) > 1 else ''} ({listed})"


def network_points(data: CampaignData) -> list[str]:
    """The points that use the network."""
    return [record.name for record in data.points.values() if is_network(record)]


def tcp_differs(data: CampaignData) -> Iterator[QualityWarning]:
    """TCP settings and MTU inside that are not the baseline's, all of an environment in one sentence."""
    yield from unlike(data, TCP, ("tcp-differs", Severity.WARNING, "TCP is set differently in"))


def path_differs(data: CampaignData) -> Iterator[QualityWarning]:
    """Another way to the peer, another queue or other offloads than the baseline's: what users have, reported."""
    base = data.baseline
    paths = {label: environment_fact(data, label, "network.path") for label in data.environments}
    for label, path in paths.items():
        for point in (name for name in network_points(data) if path != paths[base] and data.done(name, label)):
            sentence = f"{label} reaches the peer by {path}, {base} by {paths[base]}"
            yield QualityWarning("path-differs", Severity.NOTE, scope_of(label, point), sentence)
    yield from unlike(data, PATH, ("path-differs", Severity.NOTE, "queue and offloads differ in"))


def unlike(data: CampaignData, names: tuple[str, ...], said: tuple[str, Severity, str]) -> Iterator[QualityWarning]:
    """Warn of facts seen inside that are not the baseline's. `said`: id, severity, how the sentence begins."""
    facts, base = boot_facts(data), data.baseline
    for label, mine in facts.items():
        theirs = facts.get(base, {})
        known = [name for name in names if mine.get(name) is not None and theirs.get(name) is not None]
        found = [f"{name} {mine[name]} against {theirs[name]}" for name in known if mine[name] != theirs[name]]
        for point in network_points(data) if found else ():
            sentence = f"{said[2]} {label} and {base}: {'; '.join(found)}"
            yield QualityWarning(said[0], said[1], scope_of(label, point), sentence)
