"""filebench: the real Filebench, where you bring it; it is not shipped.

    [[points]]
    workload = "filebench"
    personality = "fileserver"  # or varmail, webserver, webproxy, videoserver, oltp, or a .f file inside
    nthreads = 16               # its own variables, as in `files`
    runtime = "60s"             # whole seconds
    binary = "filebench"        # in the userland (images.userland), or a path inside
    files = { "/data/fb/bin/filebench" = "filebench" }    # put inside; 1 MiB for each point

Runs under `setarch -R`: its own attempt to switch address randomisation off does nothing (domain.md F.2). Scripts for
its personalities are written here from plain data. Filebench prepares its files itself, inside the window: the
CPU time of a trial holds that as well, so no CPU per operation is given. Output: stats.c of 1.5-alpha3.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from hashlib import sha256

from primetime.errors import TrialFailed, UserError
from primetime.model import (
    FileToPut,
    Measurement,
    Point,
    Recipe,
    Scalar,
    Site,
    Step,
    TrialData,
    Where,
)
from primetime.workloads.base import GRACE_S, Kind, Parameter, Workload
from primetime.workloads.command import check_files, files_of
from primetime.workloads.operations import RATE, Done, Run, figures
from primetime.workloads.personalities import (
    DEFAULTS,
    PARAMETERS,
    VARIABLES,
    check_variables,
    personality,
    small,
    with_defaults,
    write_rate,
)
from primetime.workloads.personality_language import script

OUTPUT = "filebench.txt"
INVALID = "NO VALID RESULTS"
SLOWEST_PREPARATION = 2 * 2**20  # bytes per second; for the time-out only
LONGEST_FILE_S = 0.05  # to create one on a slow card; for the time-out only
SCRIPTS_PREPARATION_S = 1800.0  # what a script of the user's prepares is not known; for the time-out only
NUMBER = r"(-?[0-9.]+|-?nan|inf)"
OPERATION = re.compile(rf"^(\S+) +(\d+)ops +{NUMBER}ops/s +{NUMBER}mb/s +{NUMBER}ms/op", re.MULTILINE)
SUMMARY = re.compile(rf"IO Summary: +(\d+) ops {NUMBER} ops/s {NUMBER}/{NUMBER} rd/wr +{NUMBER}mb/s +{NUMBER}ms/op")
CLOCK = re.compile(r"^\d+\.\d+: ")  # before every line that it logs
FORBIDDEN = "failed to set personality"
CAUSE = re.compile("could not obtain|fail|cannot|can't|syntax error|undefined|no such file|no space", re.IGNORECASE)


class Filebench(Workload):
    """See the module."""

    name = "filebench"
    summary = "the real Filebench, where the userland or you bring it"
    parameters = (
        Parameter(
            "personality", Kind.TEXT, "fileserver", f"one of {', '.join(DEFAULTS)}, or the path of a .f file inside"
        ),
        *PARAMETERS,
        Parameter("runtime", Kind.DURATION, 60.0, "length of its run", least=1.0),
        Parameter("binary", Kind.TEXT, "filebench", "a program of the userland, or a path inside"),
        Parameter("files", Kind.FILES, "[]", 'e.g. files = { "/data/fb/bin/filebench" = "filebench" }'),
    )

    def check(self, where: str, given: Mapping[str, object]) -> dict[str, Scalar]:
        params = super().check(where, given)
        chosen = str(params["personality"])
        if not float(params["runtime"]).is_integer():
            raise UserError(
                f"{where}: Filebench runs whole seconds only, not {given['runtime']!r}", 'e.g. runtime = "60s"'
            )
        if not str(params["binary"]).isprintable() or not str(params["binary"]).strip():
            raise UserError(
                f"{where}: binary {params['binary']!r} is no program", 'e.g. binary = "/data/fb/bin/filebench"'
            )
        check_files(where, "files", json.loads(str(params["files"])))
        if chosen in DEFAULTS:
            params = with_defaults(chosen, given, params)
            check_variables(where, params)
            return params
        if not chosen.startswith("/") or not chosen.endswith(".f"):
            raise UserError(
                f"{where}: there is no personality {chosen!r}", f"known: {', '.join(DEFAULTS)}, or a path to a .f file"
            )
        for name in VARIABLES:
            if name in given:
                raise UserError(f"{where}: {name} has no effect on a script of yours", f"set ${name} in {chosen}")
        if "runtime" not in given:
            words = f"{where}: how long {chosen} runs is not said"
            raise UserError(words, 'as many seconds as its "run" says, e.g. runtime = "120s"')
        return params

    def programs(self, point: Point) -> tuple[str, ...]:
        brought = {file.path for file in files_of(point.params, "files")}
        return () if point.params["binary"] in brought else (str(point.params["binary"]),)

    def skip_reason(self, point: Point, site: Site) -> str:
        binary = str(point.params["binary"])
        return (
            f"the userland has no {binary}: Filebench is not shipped (docs/files.md)" if binary in site.absent else ""
        )

    def recipe(self, point: Point, site: Site) -> Recipe:
        binary, chosen = str(point.params["binary"]), str(point.params["personality"])
        of_ours = chosen in DEFAULTS  # a script of the user's decides itself how long it runs, smoke or not
        runtime = 1 if site.smoke and of_ours else int(point.params["runtime"])
        brought = tuple(files_of(point.params, "files"))
        prepared, preparation_s, rate = 0, SCRIPTS_PREPARATION_S, 200e6
        if of_ours:
            values = small(point.params) if site.smoke else point.params
            described = personality(chosen, values)
            text = script(described, f"{site.data_dir}", runtime).encode()
            chosen = f"/tmp/filebench-{sha256(text).hexdigest()[:12]}.f"
            brought = (*brought, FileToPut(Where.TARGET, chosen, text))
            prepared, rate = described.prepared_bytes(), write_rate(described)
            preparation_s = prepared / SLOWEST_PREPARATION + int(values["nfiles"]) * LONGEST_FILE_S
        limit = runtime + preparation_s + GRACE_S
        return Recipe(
            run=(Step(Where.TARGET, ("setarch", "-R", binary, "-f", chosen), OUTPUT, limit),),
            warm=(Step(Where.TARGET, ("setarch", "-R", binary, "-h"), "warm", GRACE_S),),
            files=brought,
            duration_s=runtime + prepared / 100e6,
            bytes_written=prepared + round(rate * runtime),
            writes=True,
        )

    def parse(self, point: Point, data: TrialData) -> tuple[Measurement, ...]:
        output = data.output(OUTPUT)
        text = (output.stdout + b"\n" + output.stderr).decode(errors="replace")
        chosen = str(point.params["personality"])
        kinds = operation_kinds(chosen, point.params) if chosen in DEFAULTS else {}
        return figures(run_of(text, kinds), "ops/s", data.drain_s)

    def complaint(self, stdout: bytes, stderr: bytes) -> str:
        said = (stdout + b"\n" + stderr).decode(errors="replace")
        if FORBIDDEN in said:
            return "setarch -R is forbidden here: a container needs seccomp = 'none' for it"
        return reason_of(said) or super().complaint(stdout, stderr)

    def primary(self, point: Point) -> str:  # noqa: ARG002 - the same for every personality
        return RATE


def operation_kinds(name: str, values: Mapping[str, Scalar]) -> dict[str, str]:
    """Which kind each named operation of a personality is."""
    return {op.name: op.kind for group in personality(name, values).groups for op in group.loop}


def run_of(text: str, kinds: Mapping[str, str]) -> Run:
    """Read what Filebench printed; TrialFailed where it gives no valid result."""
    summary = SUMMARY.search(text)
    lines = OPERATION.findall(text.partition("Per-Operation Breakdown")[2])
    if INVALID in text or summary is None or not lines:
        raise TrialFailed(f"filebench: {reason_of(text) or 'it printed no summary'}")
    try:
        total = int(summary[1])
        seconds = total / float(summary[2])
        done = tuple(finished(line, kinds, seconds) for line in lines)
    except (ValueError, ZeroDivisionError, OverflowError) as error:
        raise TrialFailed(f"filebench's summary is not understood ({error})") from None
    return Run(done, total, seconds)


def finished(line: tuple[str, ...], kinds: Mapping[str, str], seconds: float) -> Done:
    """One line of the breakdown: name, ops, ops/s, MiB/s, ms/op."""
    name, count, _, mebibytes, milliseconds = line
    return Done(
        name, kinds.get(name, name), int(count), round(float(mebibytes) * 2**20 * seconds), float(milliseconds) / 1e3
    )


def reason_of(text: str) -> str:
    """Why there are no valid results, in Filebench's own words; "" when it does not say."""
    lines = [CLOCK.sub("", line).strip() for line in text.splitlines()]
    causes = [line for line in lines if CAUSE.search(line)]
    invalid = [line for line in lines if INVALID in line]
    return "; ".join(dict.fromkeys([*invalid[:1], *causes[:2]]))
