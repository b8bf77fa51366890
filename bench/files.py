"""Is the workload `files` what Filebench does? Both under the same personality, side by side: files ÷ filebench.

Places: native, a cgroup with little memory, and a QEMU guest (emulated where KVM does not serve; fewer blocks).
In each block every cell (place, file system, personality, threads) is run once by either program, in random
order, one right after the other. Figures: operations per second, and per operation bytes read and written, fsyncs,
creates, deletes; for a large set also quantiles of file sizes. A cell's throughput counts as equivalent where two one-sided tests
(5 %) keep it within ±10 %; the rest within ±2 %. Root; skipped where there is no `filebench`, which is not shipped.

    python bench/files.py [--places native,cgroup,vm] [--blocks N] [--seconds N] [--raw FILE]

--raw keeps every run as a line of JSON, and begins with what is there: several calls make one result.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

from primetime.errors import PrimetimeError
from primetime.host.cgroup import Cgroup
from primetime.host.process import Placement, Spawning, find_program, run
from primetime.images.cache import Cache
from primetime.images.debian import debian_architecture
from primetime.images.file_program import file_program
from primetime.intervals import equivalence_p, log_ratio_interval
from primetime.workloads.filebench import operation_kinds, run_of
from primetime.workloads.files import fileset_word, finished, operation_word
from primetime.workloads.operations import READ_KINDS, WRITE_KINDS, Run
from primetime.workloads.personalities import DEFAULTS, Fileset, personality
from primetime.workloads.personality_language import script

MIB = 2**20
THREADS, PERSONALITIES, SYSTEMS = (1, 16, 50), ("fileserver", "varmail"), ("tmpfs", "ext4")
NFILES = {"fileserver": 4000, "varmail": 2000}
MEMSIZE = 2 * MIB  # Filebench fills it inside its window: 10 MiB of 50 threads would be a good part of a short one
PLACES = {"tmpfs": Path("/dev/shm/primetime-bench"), "ext4": Path("/var/tmp/primetime-bench")}
LITTLE = {"tmpfs": 768 * MIB, "ext4": 512 * MIB}  # memory of the cgroup; on tmpfs the files themselves are in it
MARGINS = {"throughput": 0.10, "per_cpu_second": 0.10}
MARGIN = 0.02
FIGURES = ("throughput", "per_cpu_second", "read_bytes", "written_bytes", "fsyncs", "creates", "deletes")
QUANTILES = (5, 25, 50, 75, 95, 99)
LIMIT_S = 600.0
SETTLED_S = 1.0  # Filebench sleeps that long between its preparation and its run


class Place(Protocol):
    """Where programs run. `directory`: where a file system's cells work."""

    def directory(self, system: str) -> str: ...

    def run(self, argv: list[str]) -> bytes: ...

    def put(self, path: str, content: bytes) -> None: ...

    def cpu_s(self) -> float: ...


class Host:
    """This machine, in a cgroup or none."""

    def __init__(self, placement: Placement) -> None:
        self.spawning = Spawning(placement=placement)

    def directory(self, system: str) -> str:
        return str(PLACES[system])

    def run(self, argv: list[str]) -> bytes:
        return run(argv, timeout_s=LIMIT_S, spawning=self.spawning).stdout

    def put(self, path: str, content: bytes) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(content)

    def cpu_s(self) -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime


def values_of(name: str, threads: int, nfiles: int) -> dict[str, Any]:
    """The personality's variables in a cell."""
    return {**DEFAULTS[name], "nthreads": threads, "nfiles": nfiles, "memsize": MEMSIZE}


def own(place: Place, program: str, cell: Mapping[str, Any], seed: int) -> dict[str, float]:
    """Run `files`; return the cell's figures."""
    described = personality(cell["personality"], values_of(cell["personality"], cell["threads"], cell["nfiles"]))
    directory, threads = place.directory(cell["system"]), described.groups[0]
    sets = [f"{directory}/own", str(seed), *(fileset_word(one) for one in described.filesets)]
    amounts = [f"threads={threads.threads}", f"memsize={threads.memory}", f"runtime={cell['seconds']}"]
    place.run(["rm", "-rf", f"{directory}/own"])
    before = place.cpu_s()
    place.run([program, "layout", *sets])
    time.sleep(SETTLED_S)
    document = json.loads(place.run([program, "run", *sets, *amounts, *map(operation_word, threads.loop)]))
    used = place.cpu_s() - before
    place.run(["rm", "-rf", f"{directory}/own"])
    done = tuple(finished(one) for one in document["operations"])
    return figures(Run(done, sum(one.count for one in done), float(document["seconds"])), used)


def theirs(place: Place, program: str, cell: Mapping[str, Any]) -> dict[str, float]:
    """Run Filebench; return the cell's figures."""
    values = values_of(cell["personality"], cell["threads"], cell["nfiles"])
    directory = place.directory(cell["system"])
    text = script(personality(cell["personality"], values), directory, int(cell["seconds"]))
    place.put(f"{directory}/bench.f", text.encode())
    before = place.cpu_s()
    said = place.run(["setarch", "-R", program, "-f", f"{directory}/bench.f"]).decode()
    used = place.cpu_s() - before
    place.run(["rm", "-rf", f"{directory}/bigfileset"])
    return figures(run_of(said, operation_kinds(cell["personality"], values)), used)


def figures(ran: Run, cpu_s: float) -> dict[str, float]:
    """What is compared. CPU: of the whole program, with the preparation of its files; 0 where it is not known."""

    def counted(kind: str) -> float:
        return sum(one.count for one in ran.done if one.kind == kind) / ran.total

    def moved(kinds: tuple[str, ...]) -> float:
        return sum(one.bytes for one in ran.done if one.kind in kinds) / ran.total

    values = (
        ran.total / ran.seconds,
        ran.total / cpu_s if cpu_s else 0.0,
        moved(READ_KINDS),
        moved(WRITE_KINDS),
        *map(counted, ("fsync", "createfile", "deletefile")),
    )
    return dict(zip(FIGURES, values, strict=True))


def describe(program: str, one: Fileset, seed: int) -> dict[str, Any]:
    """What `files` would lay out."""
    found = json.loads(run([program, "describe", "/", str(seed), fileset_word(one)], timeout_s=LIMIT_S).stdout)
    described: dict[str, Any] = found["filesets"][0]
    return described


def prepared_by_filebench(filebench: str, one: Fileset) -> tuple[list[int], float]:
    """Sizes in order of the files that Filebench prepares, and the bytes that it says its whole set has."""
    directory = PLACES["tmpfs"]
    lines = script(personality("webserver", {**DEFAULTS["webserver"], "nthreads": 1}), str(directory), 1).splitlines()
    gamma = f"set $sizes=cvar(type=cvar-gamma,parameters=mean:{one.size};gamma:{one.gamma:g})"
    wanted = f"define fileset name={one.name},path={directory},size=$sizes,entries={one.entries},dirwidth={one.width},prealloc={one.prealloc}"
    text = "\n".join([gamma, wanted, *lines[lines.index("define process name=worker,instances=1 {") :]])
    text = text.replace("logfiles", one.name)
    path = directory / "sizes.f"
    path.write_text(text)
    said = run(["setarch", "-R", filebench, "-f", str(path)], timeout_s=LIMIT_S).stdout.decode()
    sizes = sorted(file.stat().st_size for file in (directory / one.name).rglob("*") if file.is_file())
    run(["rm", "-rf", str(directory / one.name)], timeout_s=LIMIT_S)
    total = float(said.partition("leafdirs, ")[2].partition("MB total")[0]) * MIB
    return sizes, total


def close_seed(program: str, filebench: str, name: str, nfiles: int) -> int:
    """Return the first seed whose set holds as many bytes as Filebench's, within 0.3 %: it has one set, we have many."""
    one = personality(name, values_of(name, 1, nfiles)).filesets[0]
    _, total = prepared_by_filebench(filebench, one)
    return next(seed for seed in range(1, 10_000) if abs(describe(program, one, seed)["bytes"] / total - 1) < 0.003)


def size_quantiles(program: str, filebench: str) -> dict[str, float]:
    """Quantiles of 100 000 file sizes, all of them prepared: files ÷ filebench."""
    one = Fileset("bigfileset", 100_000, 4096, 1.5, 20, 100)
    sizes, _ = prepared_by_filebench(filebench, one)
    ours = describe(program, one, 1)["size_quantiles"]
    return {f"size_quantile_{q}": ours[str(q)] / sizes[(len(sizes) - 1) * q // 100] for q in QUANTILES}


@contextmanager
def host_places(names: list[str]) -> Iterator[dict[tuple[str, str], Place]]:
    """native and cgroup, by (place, file system)."""
    with ExitStack() as stack:
        found: dict[tuple[str, str], Place] = {}
        for system in SYSTEMS:
            if "native" in names:
                found["native", system] = Host(Placement())
            if "cgroup" in names:
                group = Cgroup(f"primetime-bench-{system}")
                stack.callback(group.remove)
                group.create()
                group.set_memory(LITTLE[system])
                found["cgroup", system] = Host(stack.enter_context(group.placement()))
        yield found


def cells(places: Mapping[tuple[str, str], Place], seconds: int) -> list[dict[str, Any]]:
    """Every combination."""
    return [
        {"place": place, "system": system, "personality": name, "threads": threads, "nfiles": NFILES[name], "seconds": seconds}
        for place, system in places
        for name in PERSONALITIES
        for threads in THREADS
    ]  # fmt: skip


def one_block(
    places: Mapping[tuple[str, str], Place],
    tools: Mapping[str, str],
    seeds: Mapping[str, int],
    options: argparse.Namespace,
    block: int,
) -> Iterator[dict[str, Any]]:
    """Run every cell by both programs; yield what each pair gave."""
    order = cells(places, options.seconds)
    random.shuffle(order)
    for cell in order:
        place, given = places[cell["place"], cell["system"]], {}
        try:
            for tool in random.sample(["files", "filebench"], 2):
                place.run(["sync"])
                if tool == "files":
                    given[tool] = own(place, tools[tool], cell, seeds[cell["personality"]])
                else:
                    given[tool] = theirs(place, tools[tool], cell)
        except PrimetimeError as error:
            print(f"lost: {cell}: {error}", file=sys.stderr)
            continue
        yield {**cell, "block": block, **given}


def report(pairs: list[dict[str, Any]]) -> Iterator[str]:
    """One line per figure: name, ratio, and on stderr what the tests say."""
    for place, system, name, threads in sorted(
        {(p["place"], p["system"], p["personality"], p["threads"]) for p in pairs}
    ):
        mine = [
            p
            for p in pairs
            if (p["place"], p["system"], p["personality"], p["threads"]) == (place, system, name, threads)
        ]
        for figure in FIGURES:
            d = [
                math.log(p["files"][figure] / p["filebench"][figure])
                for p in mine
                if p["files"][figure] and p["filebench"][figure]
            ]
            if len(d) < 2:
                continue
            interval = log_ratio_interval(d, 0.90)
            p = equivalence_p(d, MARGINS.get(figure, MARGIN))
            words = "equivalent" if p <= 0.05 else "not shown equivalent"
            label = f"{place}_{system}_{name}_{threads}_{figure}"
            print(
                f"{label}: {interval.ratio:.4f} [{interval.low:.4f}, {interval.high:.4f}] n={len(d)} {words} p={p:.4f}",
                file=sys.stderr,
            )
            yield f"{label} {interval.ratio:.4f}"


def main() -> None:
    """Print one line per figure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--places", default="native,cgroup")
    parser.add_argument("--blocks", type=int, default=10)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--raw", type=Path)
    options = parser.parse_args()
    filebench = find_program("filebench")
    if filebench is None:
        print("skipped: there is no filebench on this machine, and it is not shipped (docs/files.md)", file=sys.stderr)
        return
    own_program = file_program(Cache(), debian_architecture())
    if own_program is None:
        print("skipped: no C compiler on this machine (primetime setup)", file=sys.stderr)
        return
    pairs = (
        [json.loads(line) for line in options.raw.read_text().splitlines()]
        if options.raw and options.raw.exists()
        else []
    )
    tools = {"files": str(own_program), "filebench": filebench}
    for path in PLACES.values():
        path.mkdir(exist_ok=True)
    quantiles = size_quantiles(tools["files"], filebench)
    seeds = {name: close_seed(tools["files"], filebench, name, NFILES[name]) for name in PERSONALITIES}
    with host_places(options.places.split(",")) as places:
        for block in range(options.blocks):
            for pair in one_block(places, tools, seeds, options, block):
                pairs.append(pair)
                if options.raw:
                    with options.raw.open("a") as file:
                        print(json.dumps(pair), file=file)
    for path in PLACES.values():
        run(["rm", "-rf", str(path)], timeout_s=LIMIT_S)
    for label, ratio in quantiles.items():
        print(label, round(ratio, 4))
    for line in report(pairs):
        print(line)


if __name__ == "__main__":
    main()
