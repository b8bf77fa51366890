"""Filebench's personalities as plain data: file sets and loops of operations, shared by `filebench` and `files`.

Names of variables, operations and attributes are those of Filebench's workload language, sizes in bytes; the
values are what its 1.5-alpha3 ships. An operation may not be called as one of the language's commands ("create").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from primetime.errors import UserError
from primetime.model import Scalar
from primetime.workloads.base import Kind, Parameter
from primetime.workloads.units import size_in_words

KIB, MIB, GIB = 2**10, 2**20, 2**30
FILES = "bigfileset"


@dataclass(frozen=True, slots=True)
class Fileset:
    """Files of gamma distributed sizes (`gamma` 0: all equal) in directories of random width, `prealloc` % of them."""

    name: str
    entries: int
    size: int
    gamma: float
    width: int
    prealloc: int
    readonly: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """One step of a loop."""

    kind: str
    name: str
    attributes: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Threads:
    """So many processes of so many threads that each go through the loop, over and over. `memory`: of each thread."""

    name: str
    processes: int
    threads: int
    memory: int
    loop: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class Personality:
    """What is done to what. `rate`: events per second that limiting operations may pass; 0: no limit."""

    filesets: tuple[Fileset, ...]
    groups: tuple[Threads, ...]
    rate: int = 0

    def prepared_bytes(self) -> int:
        """What is written before the run, on average."""
        return round(sum(one.entries * one.size * one.prealloc / 100 for one in self.filesets))

    def writes(self) -> bool:
        """Whether the loops write."""
        return any("write" in op.kind or "append" in op.kind for group in self.groups for op in group.loop)

    def syncs(self) -> bool:
        """Whether the loops wait for the disk."""
        return any(op.kind == "fsync" or "dsync" in op.attributes for group in self.groups for op in group.loop)


Variables = Mapping[str, Scalar]

VARIABLES: Mapping[str, tuple[Kind, str, float]] = {
    "nfiles": (Kind.INT, "how many files the set has", 1),
    "meandirwidth": (Kind.INT, "files of a directory, on average", 2),
    "meanfilesize": (Kind.SIZE, "mean size of a file", 1),
    "gamma": (Kind.FLOAT, "shape of the sizes' gamma distribution; 0: all files are equal", 0),
    "prealloc": (Kind.INT, "percent of the files that exist at first", 0),
    "nthreads": (Kind.INT, "threads that go through the loop", 1),
    "iosize": (Kind.SIZE, "bytes of one read or write", 1),
    "meanappendsize": (Kind.SIZE, "appends are below this, uniformly", 1),
    "memsize": (Kind.SIZE, "memory that each thread fills and uses", 1),
}


def variables(*values: Scalar) -> dict[str, Scalar]:
    """A personality's own values, in the order of VARIABLES."""
    return dict(zip(VARIABLES, values, strict=True))


DEFAULTS: Mapping[str, Variables] = {
    "fileserver": variables(10_000, 20, 128 * KIB, 1.5, 80, 50, MIB, 16 * KIB, 10 * MIB),
    "varmail": variables(1_000, 1_000_000, 16 * KIB, 1.5, 80, 16, MIB, 16 * KIB, 10 * MIB),
    "webserver": variables(1_000, 20, 16 * KIB, 1.5, 100, 100, MIB, 16 * KIB, 10 * MIB),
    "webproxy": variables(10_000, 1_000_000, 16 * KIB, 0.0, 80, 100, MIB, 16 * KIB, 10 * MIB),
    "videoserver": variables(32, 20, 10 * GIB, 0.0, 50, 48, 256 * KIB, MIB, 10 * MIB),
    "oltp": variables(10, 1024, 10 * MIB, 0.0, 100, 200, 2 * KIB, 256 * KIB, MIB),
}
PARAMETERS = tuple(  # where a study says nothing, its personality decides: with_defaults
    Parameter(name, kind, DEFAULTS["fileserver"][name], f"{words}; default: the personality's", least=least)
    for name, (kind, words, least) in VARIABLES.items()
)


def with_defaults(name: str, given: Mapping[str, object], params: dict[str, Scalar]) -> dict[str, Scalar]:
    """Fill in what the personality says where the study says nothing."""
    return {**params, **{key: value for key, value in DEFAULTS[name].items() if key not in given}}


def check_variables(where: str, params: Variables) -> None:
    """UserError for values that cannot go together."""
    if int(params["prealloc"]) > 100:
        raise UserError(f"{where}: prealloc cannot be {params['prealloc']}", "it is a percentage: 0 to 100")
    largest = max(int(params["iosize"]), int(params["meanappendsize"]))
    if largest >= int(params["memsize"]):
        words = f"{where}: memsize {size_in_words(int(params['memsize']))} does not hold one request"
        raise UserError(words, f"every thread needs more than {size_in_words(largest)}: make memsize larger")


def small(given: Variables) -> dict[str, Scalar]:
    """The variables of a one-second trial: enough files that threads do not run out of them."""
    size = 2 * int(given["meanappendsize"])
    limits = {"nfiles": 1_000 if size < MIB else 4, "meanfilesize": size, "nthreads": 4}
    return {**given, **{name: min(int(given[name]), limit) for name, limit in limits.items()}}


def write_rate(described: Personality) -> float:
    """Bytes per second that are written at most, roughly, for `plan`: fewer where every write waits for the disk."""
    if not described.writes():
        return 0.0
    return 20e6 if described.syncs() else 200e6


def personality(name: str, values: Variables) -> Personality:
    """Return the personality with these variables."""
    return MAKERS[name](values)


def step(kind: str, name: str, **attributes: Scalar) -> Operation:
    """An operation of a loop."""
    return Operation(kind, name, attributes)


def main_set(values: Variables, *, readonly: bool = False) -> Fileset:
    """The file set that the variables describe."""
    count, width, size = (int(values[name]) for name in ("nfiles", "meandirwidth", "meanfilesize"))
    return Fileset(FILES, count, size, float(values["gamma"]), width, int(values["prealloc"]), readonly)


def main_threads(values: Variables, loop: tuple[Operation, ...]) -> tuple[Threads, ...]:
    """One process whose threads all go through this loop."""
    return (Threads("worker", 1, int(values["nthreads"]), int(values["memsize"]), loop),)


def read_one(values: Variables, number: int) -> tuple[Operation, ...]:
    """Open a file, read it, close it."""
    return (
        step("openfile", f"open{number}", filesetname=FILES, fd=1),
        step("readwholefile", f"read{number}", fd=1, iosize=values["iosize"]),
        step("closefile", f"close{number}", fd=1),
    )


def fileserver(values: Variables) -> Personality:
    """Write a new file, append to one, read one, delete one, look at one."""
    return Personality(
        (main_set(values),),
        main_threads(
            values,
            (
                step("createfile", "create1", filesetname=FILES, fd=1),
                step("writewholefile", "write1", srcfd=1, fd=1, iosize=values["iosize"]),
                step("closefile", "close_new", fd=1),
                step("openfile", "open_old", filesetname=FILES, fd=1),
                step("appendfilerand", "append1", fd=1, iosize=values["meanappendsize"]),
                step("closefile", "close_old", fd=1),
                *read_one(values, 1),
                step("deletefile", "delete1", filesetname=FILES),
                step("statfile", "stat1", filesetname=FILES),
            ),
        ),
    )


def varmail(values: Variables) -> Personality:
    """A mail arrives, is read and answered, and another is read: two fsyncs in a loop."""
    append: dict[str, Scalar] = {"fd": 1, "iosize": values["meanappendsize"]}
    return Personality(
        (main_set(values),),
        main_threads(
            values,
            (
                step("deletefile", "delete1", filesetname=FILES),
                step("createfile", "create1", filesetname=FILES, fd=1),
                step("appendfilerand", "append_new", **append),
                step("fsync", "fsync_new", fd=1),
                step("closefile", "close_new", fd=1),
                step("openfile", "open_old", filesetname=FILES, fd=1),
                step("readwholefile", "read_old", fd=1, iosize=values["iosize"]),
                step("appendfilerand", "append_old", **append),
                step("fsync", "fsync_old", fd=1),
                step("closefile", "close_old", fd=1),
                *read_one(values, 1),
            ),
        ),
    )


def webserver(values: Variables) -> Personality:
    """Ten pages are read and one line goes to the log that all share."""
    log = Fileset("logfiles", 1, int(values["meanfilesize"]), float(values["gamma"]), int(values["meandirwidth"]), 100)
    pages = tuple(op for number in range(1, 11) for op in read_one(values, number))
    line = step("appendfilerand", "append_log", filesetname=log.name, iosize=values["meanappendsize"], fd=2)
    return Personality((main_set(values, readonly=True), log), main_threads(values, (*pages, line)))


def webproxy(values: Variables) -> Personality:
    """One entry of the cache is replaced, five are read."""
    replaced = (
        step("deletefile", "delete1", filesetname=FILES),
        step("createfile", "create1", filesetname=FILES, fd=1),
        step("appendfilerand", "append1", fd=1, iosize=values["meanappendsize"]),
        step("closefile", "close_new", fd=1),
    )
    reads = tuple(op for number in range(1, 6) for op in read_one(values, number))
    return Personality((main_set(values),), main_threads(values, (*replaced, *reads)))


def videoserver(values: Variables) -> Personality:
    """Videos are read at a limited rate, and every ten seconds one of those that nobody watches is replaced."""
    size, memory = int(values["meanfilesize"]), int(values["memsize"])
    watched = Fileset("activevids", int(values["nfiles"]), size, 0.0, 4, 100)
    idle = Fileset(
        "passivevids", 6 * int(values["nfiles"]), size, 0.0, int(values["meandirwidth"]), int(values["prealloc"])
    )
    write = (
        step("deletefile", "delete1", filesetname=idle.name),
        step("createfile", "create1", filesetname=idle.name, fd=1),
        step("writewholefile", "write1", iosize=values["meanappendsize"], fd=1, srcfd=1),
        step("closefile", "close_new", fd=1),
        step("delay", "pause", value=10),
    )
    read = (
        step("read", "watch", filesetname=watched.name, iosize=values["iosize"]),
        step("bwlimit", "limit", target="watch"),
    )
    groups = (Threads("writer", 1, 1, memory, write), Threads("reader", 1, int(values["nthreads"]), memory, read))
    return Personality((watched, idle), groups, rate=96)


def oltp(values: Variables) -> Personality:
    """A database: many readers, ten writers and a log, all random and synchronous."""
    count, width, size = (int(values[name]) for name in ("nfiles", "meandirwidth", "meanfilesize"))
    data, log = Fileset("datafiles", count, size, 0.0, width, 100), Fileset("logfile", 1, size, 0.0, width, 100)
    memory, on_data = int(values["memsize"]), {"filesetname": data.name, "iosize": values["iosize"], "random": True}
    log_writes = (
        step("aiowrite", "log_write", filesetname=log.name, iosize=values["meanappendsize"], random=True, dsync=True),
        step("aiowait", "log_wait"),
        step("semblock", "log_block", value=3200, highwater=1000),
    )
    writes = (
        step("aiowrite", "data_write", **on_data, iters=100, opennext=True, dsync=True),
        step("hog", "write_think", value=10_000),
        step("semblock", "data_block", value=1000, highwater=2000),
        step("aiowait", "data_wait"),
    )
    reads = (
        step("read", "data_read", **on_data, opennext=True),
        step("hog", "read_think", value=200_000),
        step("sempost", "post_log", value=1, target="log_block", blocking=True),
        step("sempost", "post_data", value=1, target="data_block", blocking=True),
    )
    groups = (
        Threads("logwriter", 1, 1, memory, log_writes),
        Threads("writer", 10, 1, memory, writes),
        Threads("reader", int(values["nthreads"]), 1, memory, reads),
    )
    return Personality((data, log), groups)


MAKERS: Mapping[str, Callable[[Variables], Personality]] = {
    "fileserver": fileserver,
    "varmail": varmail,
    "webserver": webserver,
    "webproxy": webproxy,
    "videoserver": videoserver,
    "oltp": oltp,
}
