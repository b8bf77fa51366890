"""Tuning knobs of the host: show, apply, restore. Every original value goes into the undo ledger first.

A knob is one or more files of /proc or /sys that take one word. A study sets it by name under [tuning].
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from primetime.errors import UserError
from primetime.host.ledger import Act, Ledger
from primetime.host.process import run
from primetime.model import Fact, Scalar

ON, OFF = "1", "0"
ROOT = Path("/")
SYNC_LIMIT_S = 300.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a kernel has a knob. `pattern`: a glob below the root; `words`: what is written for a study's value.

    `twin`: the file that says the same in another way. The kernel lets only one of the two be in force,
    shows the other as 0 and refuses 0 when it is written back.
    """

    pattern: str
    words: Mapping[Scalar, str] = field(default_factory=dict)
    twin: str = ""


@dataclass(frozen=True, slots=True)
class Knob:
    """`places`: the first that this device has is meant; `type`: of a study's value; `help`: what it may be."""

    name: str
    type: type
    help: str
    places: tuple[Place, ...]
    root: Path = ROOT

    def place(self) -> Place | None:
        """The place that this device has."""
        return next((place for place in self.places if any(self.root.glob(place.pattern))), None)

    def available(self) -> str:
        """Say why this device has no such knob; "" when it has."""
        if self.place() is not None:
            return ""
        return f"this device has no {' and no '.join('/' + place.pattern for place in self.places)}"

    def show(self) -> str:
        """The value in force, as a study says it; different values of several files are joined by a slash."""
        place = self.place()
        if place is None:
            return ""
        said = {word: str(value).lower() for value, word in place.words.items()}
        words = {chosen(path) for path in self.root.glob(place.pattern)}
        return "/".join(sorted(said.get(word, word) for word in words))

    def check(self, value: Scalar) -> None:
        """UserError for a value that no device takes."""
        negative = isinstance(value, int) and value < 0
        if type(value) is not self.type or negative or value == "":
            raise UserError(f"tuning.{self.name} cannot be {value!r}", f"set it to {self.help}")

    @contextmanager
    def apply(self, ledger: Ledger, value: Scalar) -> Iterator[None]:
        """Set it, and set it back at the end. UserError when the kernel refuses the value."""
        self.check(value)
        place = self.place()
        with ExitStack() as stack:
            for path in sorted(self.root.glob(place.pattern)) if place else ():
                stack.enter_context(self.written(ledger, path, str(place.words.get(value, value)) if place else ""))
            yield

    @contextmanager
    def written(self, ledger: Ledger, path: Path, word: str) -> Iterator[None]:
        """Write one file, and what was there at the end."""
        with ledger.undone(Act("write", self.original(path))):
            try:
                path.write_text(word, encoding="utf-8")
            except OSError as error:
                reason = f"tuning.{self.name} cannot be {word} on this device: {error.strerror}"
                raise UserError(reason, f"set it to {self.help}; it is {self.show()} now") from None
            yield

    def original(self, path: Path) -> dict[str, str]:
        """What is to be written, and where, so that all is as it is now."""
        value = chosen(path)
        twin = next((self.root / place.twin for place in self.places if place.twin), None)
        if twin is not None and value == "0":
            return {"path": str(twin), "value": chosen(twin)}
        return {"path": str(path), "value": value}


CPU = "sys/devices/system/cpu"
KNOBS = {
    knob.name: knob
    for knob in (
        Knob("governor", str, 'a cpufreq governor, e.g. "performance"', (
            Place(f"{CPU}/cpufreq/policy*/scaling_governor"), Place(f"{CPU}/cpu[0-9]*/cpufreq/scaling_governor"))),
        Knob("turbo", bool, "true or false", (
            Place(f"{CPU}/intel_pstate/no_turbo", {True: OFF, False: ON}),
            Place(f"{CPU}/cpufreq/boost", {True: ON, False: OFF}))),
        Knob("dirty_bytes", int, "a number of bytes above 0", (
            Place("proc/sys/vm/dirty_bytes", twin="proc/sys/vm/dirty_ratio"),)),
        Knob("dirty_background_bytes", int, "a number of bytes above 0", (
            Place("proc/sys/vm/dirty_background_bytes", twin="proc/sys/vm/dirty_background_ratio"),)),
        Knob("swappiness", int, "0 to 200 (up to Linux 5.7: 100)", (Place("proc/sys/vm/swappiness"),)),
        Knob("thp", str, '"always", "madvise" or "never"', (Place("sys/kernel/mm/transparent_hugepage/enabled"),)),
        Knob("ksm", bool, "true or false", (Place("sys/kernel/mm/ksm/run", {True: ON, False: OFF}),)),
        Knob("aslr", int, "0, 1 or 2", (Place("proc/sys/kernel/randomize_va_space"),)),
    )
}  # fmt: skip


def chosen(path: Path) -> str:
    """The value in force in a file; the one in brackets where all choices are listed."""
    text = path.read_text(encoding="utf-8").strip()
    marked = [word[1:-1] for word in text.split() if word.startswith("[") and word.endswith("]")]
    return marked[0] if marked else text


def knob_names() -> tuple[str, ...]:
    """What [tuning] may name."""
    return tuple(KNOBS)


def knob(name: str) -> Knob:
    """Return the knob called `name`; UserError when there is none."""
    if name not in KNOBS:
        raise UserError(f"unknown knob tuning.{name}", f"known knobs: {', '.join(KNOBS)}")
    return KNOBS[name]


def show_all() -> tuple[Fact, ...]:
    """The value of every knob in force now (None where this device has none), and the swap that is on."""
    facts = [Fact(f"knob.{name}", None if one.available() else one.show()) for name, one in KNOBS.items()]
    return (*facts, Fact("knob.swap", swap()))


def swap() -> str:
    """What swap is on, or "off": only shown, since swapoff can run out of memory."""
    path = ROOT / "proc/swaps"
    lines = path.read_text(encoding="utf-8").splitlines()[1:] if path.exists() else []
    return " ".join(line.split()[0] for line in lines) or "off"


@contextmanager
def tuned(ledger: Ledger, values: Mapping[str, Scalar]) -> Iterator[list[Fact]]:
    """Apply the named knobs and yield what is in force; restore all of them at the end.

    A knob that this device does not have is a fact with the reason, not a failure. UserError for an
    unknown knob or an impossible value, before anything is written.
    """
    wanted = [(knob(name), value) for name, value in values.items()]
    for one, value in wanted:
        one.check(value)
    facts: list[Fact] = []
    with ExitStack() as stack:
        for one, value in wanted:
            lacking = one.available()
            if not lacking:
                stack.enter_context(one.apply(ledger, value))
            facts.append(Fact(f"tuning.{one.name}", f"not applied: {lacking}" if lacking else one.show()))
        yield [*facts, *show_all()]


def drop_caches() -> None:
    """Write all dirty pages, then drop page cache, dentries and inodes. Raises CommandTimeout, OSError."""
    run(["sync"], timeout_s=SYNC_LIMIT_S)
    (ROOT / "proc/sys/vm/drop_caches").write_text("3", encoding="ascii")
