"""files: threads that create, write, append to, read, stat and delete the files of a file set.

    [[points]]
    workload = "files"
    personality = "varmail"     # or fileserver, webserver, webproxy
    nthreads = [1, 16]          # Filebench's own variables; each has the personality's default
    nfiles = 1000
    meanfilesize = "16KiB"
    runtime = "10s"

Filebench's personalities, executed by our own program (`images/data/files.c`): its results stand under this name and
never under Filebench's (contract §11); docs/files.md says where the two agree. The file set is laid out when the
boot begins, so that writing it is no part of the window. Equal seeds, equal file sets.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from primetime.errors import TrialFailed
from primetime.model import Measurement, Point, Recipe, Scalar, Site, Step, TrialData, Where
from primetime.workloads.base import GRACE_S, Kind, Parameter, Workload
from primetime.workloads.operations import RATE, Done, Run, figures
from primetime.workloads.personalities import (
    PARAMETERS,
    Fileset,
    Operation,
    check_variables,
    personality,
    small,
    with_defaults,
    write_rate,
)

PROGRAM = "/usr/lib/primetime/files"  # images/userland.py puts it there
PERSONALITIES = ("fileserver", "varmail", "webserver", "webproxy")
OUTPUT = "files.json"
SLOWEST_LAYOUT = 2 * 2**20  # bytes per second; for the time-out only
LONGEST_FILE_S = 0.05  # to create one on a slow card; for the time-out only


class Files(Workload):
    """See the module."""

    name = "files"
    summary = "file sets under Filebench's personalities, by our own program"
    parameters = (
        Parameter("personality", Kind.TEXT, "fileserver", "what is done", PERSONALITIES),
        *PARAMETERS,
        Parameter("runtime", Kind.DURATION, 10.0, "length of the window", least=0.5),
        Parameter("seed", Kind.INT, 1, "which file set is drawn; the same for all environments"),
    )

    def check(self, where: str, given: Mapping[str, object]) -> dict[str, Scalar]:
        params = super().check(where, given)
        params = with_defaults(str(params["personality"]), given, params)
        check_variables(where, params)
        return params

    def programs(self, point: Point) -> tuple[str, ...]:  # noqa: ARG002 - the same for every personality
        return (PROGRAM,)

    def skip_reason(self, point: Point, site: Site) -> str:  # noqa: ARG002
        if PROGRAM in site.absent:
            return "the userland has no file program: no C compiler was there to make it (primetime setup brings one)"
        return ""

    def recipe(self, point: Point, site: Site) -> Recipe:
        params = small(point.params) if site.smoke else point.params
        runtime = 1.0 if site.smoke else float(params["runtime"])
        described = personality(str(params["personality"]), params)
        threads = described.groups[0]
        directory = f"{site.data_dir}/files-{point.name}"
        sets = (directory, str(params["seed"]), *(fileset_word(one) for one in described.filesets))
        amounts = (f"threads={threads.threads}", f"memsize={threads.memory}", f"runtime={runtime:g}")
        operations = tuple(operation_word(op) for op in threads.loop)
        size = described.prepared_bytes()
        layout_limit = size / SLOWEST_LAYOUT + int(params["nfiles"]) * LONGEST_FILE_S + GRACE_S
        return Recipe(
            run=(Step(Where.TARGET, (PROGRAM, "run", *sets, *amounts, *operations), OUTPUT, runtime + GRACE_S),),
            warm=(Step(Where.TARGET, (PROGRAM, "--version"), "warm", GRACE_S),),
            layout=(Step(Where.TARGET, (PROGRAM, "layout", *sets), "layout", layout_limit),),
            layout_key=directory,  # a run changes its files: no two points share them
            duration_s=runtime,
            bytes_written=round(write_rate(described) * runtime),
            layout_bytes=size,
            writes=described.writes(),
        )

    def parse(self, point: Point, data: TrialData) -> tuple[Measurement, ...]:  # noqa: ARG002
        try:
            document = json.loads(data.output(OUTPUT).stdout)
            done = tuple(finished(one) for one in document["operations"])
            run = Run(done, sum(one.count for one in done), float(document["seconds"]))
        except (LookupError, TypeError, ValueError) as error:
            raise TrialFailed(f"the result of files is not understood ({type(error).__name__}: {error})") from None
        return figures(run, "1/s", data.drain_s)

    def primary(self, point: Point) -> str:  # noqa: ARG002 - the same for every personality
        return RATE


def fileset_word(one: Fileset) -> str:
    """A file set as the program takes it."""
    values = (one.name, one.entries, one.size, f"{one.gamma:g}", one.width, one.prealloc, int(one.readonly))
    return f"fileset={','.join(map(str, values))}"


def operation_word(op: Operation) -> str:
    """An operation as the program takes it; "-": no file set."""
    keys = op.attributes
    values = (op.kind, op.name, keys.get("filesetname", "-"), keys.get("fd", 0), keys.get("iosize", 1))
    return f"op={','.join(map(str, values))}"


def finished(one: Mapping[str, Any]) -> Done:
    """One operation of the program's JSON document."""
    return Done(
        str(one["name"]), str(one["kind"]), int(one["count"]), int(one["bytes"]), float(one["latency_s"]["mean"])
    )
