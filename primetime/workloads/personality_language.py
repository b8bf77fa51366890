"""A personality in Filebench's workload model language: what `filebench -f` reads. Source: its parser_gram.y."""

from __future__ import annotations

from primetime.model import Scalar
from primetime.workloads.personalities import Fileset, Operation, Personality, Threads


def script(described: Personality, directory: str, runtime: int) -> str:
    """Return the whole text of a script that prepares its files in `directory` and runs for so many seconds."""
    lines = [
        *([f"eventgen rate={described.rate}"] if described.rate else []),
        *(line for one in described.filesets for line in fileset(one, directory)),
        *(line for group in described.groups for line in process(group)),
        f"run {runtime}",
    ]
    return "\n".join(lines) + "\n"


def fileset(one: Fileset, directory: str) -> list[str]:
    """Gamma distributed sizes come from Filebench's own cvar library; the mean is in bytes."""
    size, lines = str(one.size), []
    if one.gamma:
        size = f"${one.name}size"
        lines = [f"set {size}=cvar(type=cvar-gamma,parameters=mean:{one.size};gamma:{one.gamma:g})"]
    words = f"name={one.name},path={directory},size={size},entries={one.entries},dirwidth={one.width}"
    ending = ",readonly" if one.readonly else ""
    return [*lines, f"define fileset {words},prealloc={one.prealloc}{ending}"]


def process(group: Threads) -> list[str]:
    """A process with one kind of threads and their loop."""
    return [
        f"define process name={group.name},instances={group.processes} {{",
        f"  thread name={group.name}thread,memsize={group.memory},instances={group.threads} {{",
        *(f"    flowop {flowop(op)}" for op in group.loop),
        "  }",
        "}",
    ]


def flowop(op: Operation) -> str:
    """One operation with its attributes."""
    return ",".join([f"{op.kind} name={op.name}", *(attribute(key, value) for key, value in op.attributes.items())])


def attribute(key: str, value: Scalar) -> str:
    """`key=value`; what is simply true is named only."""
    return key if value is True else f"{key}={value}"
