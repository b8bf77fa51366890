"""Is the workload `files` what Filebench does? Both under the same personality, side by side: files ÷ filebench.

Places: native, cgroups with little memory, and an emulated QEMU guest. A block runs every cell (place, file system,
personality, threads) by both programs, one right after the other, cells and programs in random order.
Figures: operations per second of wall time, and of the CPU time that the window took (not in the guest); per operation
bytes read and written, fsyncs, creates, deletes; quantiles of the file sizes of a large set. On stderr: the 90 %
interval, and whether two one-sided tests (5 %) keep it within ±10 % for speed and ±2 % for the rest.

    python bench/files.py [--places native,cgroup,vm] [--systems tmpfs,ext4] [--blocks N] [--seconds N] [--raw FILE]

--raw keeps every pair as a line of JSON and begins with those that are there, so that several calls make one result;
with --blocks 0 it only reports. Root. Skipped, with the reason, where there is no `filebench`: it is not shipped.
vm also needs --guest-filebench DIRECTORY, an installation that was configured with --prefix=/data/fb.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from file_places import LIMIT_S, MIB, Place, guest, host_directory, on_host, prepared_systems

from primetime.errors import PrimetimeError
from primetime.host.process import find_program, run
from primetime.images.cache import Cache
from primetime.images.debian import debian_architecture
from primetime.images.file_program import file_program
from primetime.intervals import equivalence_p, log_ratio_interval
from primetime.workloads.filebench import operation_kinds, run_of
from primetime.workloads.files import fileset_word, finished, operation_word
from primetime.workloads.operations import READ_KINDS, WRITE_KINDS, Run
from primetime.workloads.personalities import DEFAULTS, Fileset, personality
from primetime.workloads.personality_language import fileset, script

THREADS, PERSONALITIES = (1, 16, 50), ("fileserver", "varmail")
NFILES = {"fileserver": 4000, "varmail": 2000}
NFILES_IN_GUEST = 1000
MEMSIZE = 2 * MIB  # Filebench fills it inside its window: 10 MiB of 50 threads would be a good part of a short one
MARGINS = {"throughput": 0.10, "per_cpu_second": 0.10}
MARGIN = 0.02
FIGURES = ("throughput", "per_cpu_second", "read_bytes", "written_bytes", "fsyncs", "creates", "deletes")
MANY = Fileset("bigfileset", 500_000, 4096, 1.5, 20, 100)
CLOSE, SEEDS = 0.003, 12
SETTLED_S = 1.0  # Filebench sleeps that long between its preparation and its run
Pair = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """One combination that is compared."""

    place: str
    system: str
    personality: str
    threads: int
    nfiles: int
    seconds: int

    def variables(self) -> dict[str, Any]:
        """The personality's variables here."""
        changed = {"nthreads": self.threads, "nfiles": self.nfiles, "memsize": MEMSIZE}
        return {**DEFAULTS[self.personality], **changed}

    def label(self) -> str:
        """Its part of a figure's name."""
        return f"{self.place}_{self.system}_{self.personality}_{self.threads}"


@dataclass(frozen=True)
class Programs:
    """The two programs on this machine."""

    own: str
    filebench: str
    guest_prefix: Path | None


def run_own(place: Place, program: str, cell: Cell, seed: int) -> dict[str, float]:
    """Run `files`; return the figures."""
    described = personality(cell.personality, cell.variables())
    directory, threads = f"{place.directory(cell.system)}/own", described.groups[0]
    sets = [directory, str(seed), *(fileset_word(one) for one in described.filesets)]
    amounts = [f"threads={threads.threads}", f"memsize={threads.memory}", f"runtime={cell.seconds}"]
    place.run(cell.system, ["rm", "-rf", directory])
    place.run(cell.system, [program, "layout", *sets])
    time.sleep(SETTLED_S)
    said = place.run(cell.system, [program, "run", *sets, *amounts, *map(operation_word, threads.loop)])
    place.run(cell.system, ["rm", "-rf", directory])
    document = json.loads(said)
    done = tuple(finished(one) for one in document["operations"])
    return figures(Run(done, sum(one.count for one in done), document["seconds"]), document["cpu_s"])


def run_filebench(place: Place, program: str, cell: Cell) -> dict[str, float]:
    """Run Filebench; return the figures."""
    directory = place.directory(cell.system)
    text = script(personality(cell.personality, cell.variables()), directory, cell.seconds)
    place.put(f"{directory}/bench.f", text.encode())
    said, edges = "", []
    for line in place.lines(cell.system, ["setarch", "-R", program, "-f", f"{directory}/bench.f"]):
        said += line
        if "Running..." in line or "Run took" in line:
            edges.append(place.cpu_s(cell.system))
    place.run(cell.system, ["rm", "-rf", f"{directory}/bigfileset"])
    return figures(run_of(said, operation_kinds(cell.personality, cell.variables())), edges[-1] - edges[0])


def run_both(place: Place, tools: tuple[str, str], cell: Cell, seed: int) -> Pair:
    """Run both programs on fresh files, in random order; return what either gave."""
    acts = {
        "files": lambda: run_own(place, tools[0], cell, seed),
        "filebench": lambda: run_filebench(place, tools[1], cell),
    }
    given: Pair = {}
    for side in random.sample(list(acts), 2):
        place.run(cell.system, ["sync", "-f", place.directory(cell.system)])
        given[side] = acts[side]()
    return given


def figures(ran: Run, cpu_s: float) -> dict[str, float]:
    """What is compared; 0 where there is none. `cpu_s`: CPU seconds of the window, 0 where they are not known."""

    def counted(kind: str) -> float:
        return sum(one.count for one in ran.done if one.kind == kind) / ran.total

    def moved(kinds: tuple[str, ...]) -> float:
        return sum(one.bytes for one in ran.done if one.kind in kinds) / ran.total

    speed = (ran.total / ran.seconds, ran.total / cpu_s if cpu_s else 0.0)
    values = (*speed, moved(READ_KINDS), moved(WRITE_KINDS), *map(counted, ("fsync", "createfile", "deletefile")))
    return dict(zip(FIGURES, values, strict=True))


def described_by_own(program: str, one: Fileset, seed: int) -> dict[str, Any]:
    """What `files` would lay out."""
    found = json.loads(run([program, "describe", "/", str(seed), fileset_word(one)], timeout_s=LIMIT_S).stdout)
    described: dict[str, Any] = found["filesets"][0]
    return described


def prepared_by_filebench(filebench: str, one: Fileset) -> tuple[list[int], float]:
    """Sizes in order of the files that Filebench prepares, and the bytes that it says its whole set has."""
    directory = host_directory("tmpfs")
    looking = f"thread name=t,memsize=1m,instances=1 {{ flowop statfile name=stat1,filesetname={one.name} }}"
    process = f"define process name=p,instances=1 {{ {looking} }}"
    path = directory / "sizes.f"
    path.write_text("\n".join([*fileset(one, str(directory)), process, "run 1", ""]))
    said = run(["setarch", "-R", filebench, "-f", str(path)], timeout_s=LIMIT_S).stdout.decode()
    sizes = sorted(file.stat().st_size for file in (directory / one.name).rglob("*") if file.is_file())
    run(["rm", "-rf", str(directory / one.name)], timeout_s=LIMIT_S)
    return sizes, float(said.partition("leafdirs, ")[2].partition("MB total")[0]) * MIB


@lru_cache
def close_seeds(programs: Programs, name: str, nfiles: int) -> list[int]:
    """Return seeds whose sets are as large as Filebench's within 0.3 %: it always draws one set, we many."""
    cell = Cell("", "", name, 1, nfiles, 1)
    one = personality(name, cell.variables()).filesets[0]
    _, total = prepared_by_filebench(programs.filebench, one)
    close = (
        seed for seed in range(1, 10_000) if abs(described_by_own(programs.own, one, seed)["bytes"] / total - 1) < CLOSE
    )
    return list(islice(close, SEEDS))


def size_quantiles(programs: Programs) -> Iterator[str]:
    """Quantiles of the file sizes of a large set, all of it prepared: name and files ÷ filebench."""
    sizes, _ = prepared_by_filebench(programs.filebench, MANY)
    for percent, size in described_by_own(programs.own, MANY, 1)["size_quantiles"].items():
        yield f"size_quantile_{percent} {size / sizes[(len(sizes) - 1) * int(percent) // 100]:.4f}"


def one_block(place: Place, programs: Programs, options: argparse.Namespace) -> Iterator[Pair]:
    """Run every cell of a place by both programs; yield what each pair gave."""
    tools = place.programs(programs.own, programs.filebench, programs.guest_prefix)
    files = dict.fromkeys(NFILES, NFILES_IN_GUEST) if place.name == "vm" else NFILES
    cells = [
        Cell(place.name, system, name, threads, files[name], options.seconds)
        for system in options.systems.split(",")
        for name in PERSONALITIES
        for threads in THREADS
    ]
    for cell in random.sample(cells, len(cells)):
        seed = random.choice(close_seeds(programs, cell.personality, cell.nfiles))
        try:
            yield {**asdict(cell), **run_both(place, tools, cell, seed)}
        except PrimetimeError as error:
            print(f"lost: {cell}: {error}", file=sys.stderr)


def compared(pairs: list[Pair]) -> Iterator[str]:
    """One line per cell and figure: name and ratio; what the tests say goes to stderr."""
    by_cell: dict[str, list[Pair]] = {}
    for pair in pairs:
        cell = Cell(*(pair[name] for name in Cell.__dataclass_fields__))
        by_cell.setdefault(cell.label(), []).append(pair)
    for label, mine in sorted(by_cell.items()):
        for figure in FIGURES:
            both = [(pair["files"][figure], pair["filebench"][figure]) for pair in mine]
            d = [math.log(ours / theirs) for ours, theirs in both if ours and theirs]
            if len(d) < 2:
                continue
            interval = log_ratio_interval(d, 0.90)
            p = equivalence_p(d, MARGINS.get(figure, MARGIN))
            words = "equivalent" if p <= 0.05 else "not shown equivalent"
            bounds = f"[{interval.low:.4f}, {interval.high:.4f}] in {len(d)} blocks, p = {p:.4f}: {words}"
            print(f"{label}_{figure} {interval.ratio:.4f} {bounds}", file=sys.stderr)
            yield f"{label}_{figure} {interval.ratio:.4f}"


def measured(programs: Programs, options: argparse.Namespace) -> list[Pair]:
    """All pairs: those in the file, and those of the blocks that are run now."""
    kept: Path | None = options.raw
    pairs: list[Pair] = [json.loads(line) for line in kept.read_text().splitlines()] if kept and kept.exists() else []
    for _ in range(options.blocks):
        for name in options.places.split(","):
            with guest() if name == "vm" else on_host(name) as place:
                for pair in one_block(place, programs, options):
                    pairs.append(pair)
                    if kept:
                        with kept.open("a") as file:
                            print(json.dumps(pair), file=file)
    return pairs


def found_programs(guest_prefix: Path | None) -> Programs | None:
    """The two programs; None, said on stderr, where one is missing."""
    filebench, own = find_program("filebench"), file_program(Cache(), debian_architecture())
    if filebench is None:
        print("skipped: there is no filebench on this machine; it is not shipped (docs/files.md)", file=sys.stderr)
    elif own is None:
        print("skipped: there is no C compiler on this machine (primetime setup)", file=sys.stderr)
    return Programs(str(own), filebench, guest_prefix) if own and filebench else None


def main() -> None:
    """Print one line per figure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--places", default="native,cgroup")
    parser.add_argument("--systems", default="tmpfs,ext4")
    parser.add_argument("--blocks", type=int, default=10)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--raw", type=Path)
    parser.add_argument("--guest-filebench", type=Path, metavar="DIRECTORY")
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)  # what was mounted is unmounted
    programs = found_programs(options.guest_filebench)
    if programs is None:
        return
    with prepared_systems():
        quantiles = list(size_quantiles(programs))
        pairs = measured(programs, options)
    for line in (*quantiles, *compared(pairs)):
        print(line)


if __name__ == "__main__":
    main()
