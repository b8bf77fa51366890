r"""command: any program, with the figures that it prints: the reader's own application.

    [[points]]
    workload = "command"
    name = "my-app"
    argv = ["/data/client.py", "--to", "{peer}", "--n", "1000"]   # {peer}, {data}: address, volume
    files = { "/data/client.py" = "client.py" }    # put inside; host paths from the study file's directory
    server = ["python3", "/tmp/server.py"]         # on the peer, as long as the boot lives
    server_files = { "/tmp/server.py" = "server.py" }
    metric = { name = "requests", unit = "1/s", direction = "higher", regex = "([0-9.]+) requests/s" }
    timeout = "60s"
    writes = false                                 # true: the window ends with a drain
    warm = ["/data/client.py", "--version"]        # before every window, so that programs are in memory

A list in argv, server and warm is the program's own words, and not one point per value; no shell reads them.
`metric` says where a figure stands: `regex` with one group, of which the last match counts, or `json`, a path
such as "$.summary.rate". Several: `metrics = [{…}, {…}]`, the first is the one that verdicts are about. Without
any it is the program's duration. A server must listen on TCP or UDP within ten seconds.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping, Sequence
from posixpath import basename, normpath

from primetime.errors import TrialFailed, UserError
from primetime.model import (
    PEER_WORD,
    Direction,
    FileToPut,
    Measurement,
    Metric,
    MetricKind,
    Point,
    Recipe,
    Scalar,
    Site,
    Step,
    TrialData,
    Where,
    talks_to_peer,
)
from primetime.workloads.base import GRACE_S, Kind, Parameter, Workload
from primetime.workloads.command_metrics import EXAMPLE, Figure, read_figure

OUTPUT = "command.txt"
DATA_WORD = "{data}"
PLACES = {"files": ("/data/", "/tmp/"), "server_files": ("/tmp/",)}
SIDES = {"files": Where.TARGET, "server_files": Where.PEER}
LONGEST_ARGV = 4096
DURATION = Metric("duration", "s", Direction.LOWER, MetricKind.COST)
ARGV_HINT = 'e.g. argv = ["python3", "/data/bench.py", "--n", "1000"]'


class CommandWorkload(Workload):
    """See the module."""

    name = "command"
    summary = "any program of yours, by the figures it prints"
    parameters = (
        Parameter("argv", Kind.NESTED, "[]", ARGV_HINT),
        Parameter("files", Kind.FILES, "[]", 'e.g. files = { "/data/bench.sh" = "bench.sh" }'),
        Parameter("server", Kind.NESTED, "[]", 'e.g. server = ["python3", "/tmp/server.py"]'),
        Parameter("server_files", Kind.FILES, "[]", 'e.g. server_files = { "/tmp/server.py" = "server.py" }'),
        Parameter("metrics", Kind.NESTED, "[]", EXAMPLE),
        Parameter("timeout", Kind.DURATION, 60.0, "how long the program may run", least=0.1),
        Parameter("writes", Kind.BOOL, False, "whether the window ends with a drain"),
        Parameter("warm", Kind.NESTED, "[]", 'e.g. warm = ["python3", "/data/bench.py", "--help"]'),
    )

    def nested(self) -> frozenset[str]:
        return super().nested() | {"metric"}

    def check(self, where: str, given: Mapping[str, object]) -> dict[str, Scalar]:
        params = super().check(where, with_metrics(where, given))
        for key in ("argv", "server", "warm"):
            check_words(f"{where}: {key}", words_of(params, key))
        if not words_of(params, "argv"):
            raise UserError(f"{where}: argv is missing: the program and its words", ARGV_HINT)
        check_figures(where, json.loads(str(params["metrics"])))
        for key in PLACES:
            check_files(where, key, json.loads(str(params[key])))
        return params

    def skip_reason(self, point: Point, site: Site) -> str:
        return "" if site.peer or not talks_to_peer(point) else "the study names no network.peer"

    def recipe(self, point: Point, site: Site) -> Recipe:
        params = point.params
        timeout = float(params["timeout"])
        return Recipe(
            run=(Step(Where.TARGET, placed(params, "argv", site), OUTPUT, timeout),),
            warm=one_step(Where.TARGET, placed(params, "warm", site), "warm", timeout),
            servers=one_step(Where.PEER, placed(params, "server", site), "command-server", GRACE_S),
            files=tuple(file for key in PLACES for file in files_of(params, key)),
            duration_s=timeout,  # the most that it can take: what a program needs is known when it has run
            writes=bool(params["writes"]),
        )

    def parse(self, point: Point, data: TrialData) -> tuple[Measurement, ...]:
        output = data.output(OUTPUT)
        stdout, stderr = (said.decode(errors="replace") for said in (output.stdout, output.stderr))
        found = [Measurement(one.metric, one.found_in(stdout, stderr)) for one in figures_of(point.params)]
        found.append(Measurement(DURATION, output.t1 - output.t0))
        if found[0].value <= 0:
            raise TrialFailed(f"{found[0].metric.name} is {found[0].value:g}: there is nothing to compare")
        return tuple(found)

    def primary(self, point: Point) -> str:
        figures = figures_of(point.params)
        return figures[0].metric.name if figures else DURATION.name


def with_metrics(where: str, given: Mapping[str, object]) -> dict[str, object]:
    """One `metric` is a list of one `metrics`."""
    found = dict(given)
    if "metric" not in found:
        return found
    if "metrics" in found:
        raise UserError(f"{where}: metric and metrics cannot both be given", "put all of them into metrics = [ … ]")
    found["metrics"] = [found.pop("metric")]
    return found


def words_of(params: Mapping[str, Scalar], key: str) -> list[str]:
    """A program's argv as the parameters hold it."""
    words: list[str] = json.loads(str(params[key]))
    return words


def check_words(where: str, words: object) -> None:
    """UserError for anything but a list of words that a program can be given."""
    if not isinstance(words, list) or not all(isinstance(word, str) and "\0" not in word for word in words):
        raise UserError(f"{where} must be a list of words, not {words!r}", ARGV_HINT)
    if words and not words[0]:
        raise UserError(f"{where} names no program", ARGV_HINT)
    if sum(map(len, words)) > LONGEST_ARGV:
        raise UserError(f"{where} is longer than {LONGEST_ARGV} characters", "put the text into a file, with files")


def check_figures(where: str, tables: object) -> None:
    """UserError for metrics that cannot be looked for, or have one name."""
    if not isinstance(tables, list):
        raise UserError(f"{where}: metrics must be a list of tables, not {tables!r}", EXAMPLE)
    figures = [read_figure(f"{where}: metrics[{number}]", table) for number, table in enumerate(tables, start=1)]
    names = [one.metric.name for one in figures]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{where}: two metrics are called {name!r}", "give one of them another name")


def figures_of(params: Mapping[str, Scalar]) -> list[Figure]:
    """The metrics of a checked point."""
    return [read_figure("metrics", table) for table in json.loads(str(params["metrics"]))]


def check_files(where: str, key: str, files: object) -> None:
    """UserError for files that are not as the runner hands them over, or would lie where they may not."""
    if not isinstance(files, list) or not all(isinstance(file, dict) and "path" in file for file in files):
        hint = f'e.g. {key} = {{ "{PLACES[key][0]}program" = "program" }}'
        raise UserError(f"{where}: {key} must be {Kind.FILES}, not {files!r}", hint)
    for file in files:
        path = str(file["path"])
        plain = normpath(path) == path and path.isprintable() and len(path) <= 200
        if not plain or not basename(path) or not path.startswith(PLACES[key]):
            places = " or ".join(place.rstrip("/") for place in PLACES[key])
            words = f"{where}: {key}: {path!r} is not a plain path below {places}"
            raise UserError(words, f'e.g. {key} = {{ "{PLACES[key][0]}program" = "program" }}')


def files_of(params: Mapping[str, Scalar], key: str) -> list[FileToPut]:
    """The files of a checked point, their contents as they were read with the study."""
    return [
        FileToPut(
            SIDES[key],
            file["path"],
            file["text"].encode("utf-8") if "text" in file else b64decode(file["base64"]),
            int(file["mode"]),
        )
        for file in json.loads(str(params[key]))
    ]


def placed(params: Mapping[str, Scalar], key: str, site: Site) -> tuple[str, ...]:
    """A program's argv with the peer's address and the volume's path in it."""
    known = {PEER_WORD: site.peer, DATA_WORD: site.data_dir}
    return tuple(replaced(word, known) for word in words_of(params, key))


def replaced(word: str, known: Mapping[str, str]) -> str:
    """A word with what stands in braces filled in; other braces are the program's own."""
    for name, value in known.items():
        word = word.replace(name, value)
    return word


def one_step(where: Where, argv: Sequence[str], name: str, timeout_s: float) -> tuple[Step, ...]:
    """A step, or none where there is nothing to run."""
    return (Step(where, tuple(argv), name, timeout_s),) if argv else ()
