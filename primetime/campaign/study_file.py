"""A study file: TOML in, a checked Study out. Every mistake names the file, the key and a way out."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

from primetime.campaign.groups import grouped
from primetime.campaign.study_contract import (
    read_cpu_sets,
    read_exclusions,
    read_flash,
    read_limits,
    read_network,
    read_stopping,
    read_tuning,
    read_volume,
)
from primetime.campaign.study_points import read_points
from primetime.campaign.study_power import lengthened, read_power
from primetime.campaign.study_table import Table
from primetime.environments import environment_class
from primetime.environments.base import check_settings
from primetime.errors import UserError
from primetime.model import EnvironmentSpec, MeterSpec, Pace, Point, Scalar, Study
from primetime.model.toml_table import NAME
from primetime.store.database import is_there

KEYS = (
    "title", "baseline", "quick", "vary_setup", "environments", "points", "limits", "volume", "blocks", "pace",
    "margins", "primary", "exclude", "flash", "network", "cpu", "tuning", "images", "meter", "power",
)  # fmt: skip
THREADS_SHARE = 0.7  # of the memory, for what a point's threads fill: in a machine the kernel needs the rest
QUICK_POINTS = 4  # contract §8
MARGINS = {"default": 0.05, "latency_p50": 0.10, "latency_p99": 0.20}


def load_study(name_or_path: str, smoke: bool = False, outside: Sequence[MeterSpec] = ()) -> Study:
    """Read a shipped study by name or a file by path. UserError for everything that is wrong in it.

    `outside`: meters that a fleet's controller records.
    """
    name, text = read_text(name_or_path)
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # besides its own error tomllib lets those of int() and of depth out
        raise UserError(f"{name_or_path}: {error}", "the file is TOML: https://toml.io") from None
    return resolve(name, Table(name_or_path, "", content), text, smoke, outside)


def shipped() -> tuple[str, ...]:
    """Names of the studies that come with primetime."""
    files = resources.files("primetime.studies").iterdir()
    return tuple(sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml")))


def read_text(name_or_path: str) -> tuple[str, str]:
    """Return the study's name and its text."""
    if name_or_path in shipped():
        return name_or_path, resources.files("primetime.studies").joinpath(f"{name_or_path}.toml").read_text("utf-8")
    path = Path(name_or_path)
    if not is_there(path) or not path.is_file():
        hint = f"shipped studies: {', '.join(shipped())}; or give the path of a .toml file (primetime init writes one)"
        raise UserError(f"there is no study {name_or_path!r}", hint)
    if not NAME.fullmatch(path.stem):
        raise UserError(f"{path}: a study file's name may hold letters, digits, '.', '_' and '-'", "rename the file")
    try:
        return path.stem, path.read_text(encoding="utf-8")
    except (UnicodeDecodeError, OSError) as error:
        raise UserError(f"{path} cannot be read: {error}", "a study file is UTF-8 text") from None


def resolve(name: str, top: Table, text: str, smoke: bool, outside: Sequence[MeterSpec] = ()) -> Study:
    """Check every table and fill in what is not said."""
    top.only(*KEYS)
    quick = top.flag("quick", False)
    environments = read_environments(top.table("environments"))
    peer, path = read_network(top.table("network"))
    margins, class_margins = read_margins(top.table("margins"))
    power = read_power(top, smoke, outside)
    points = lengthened(read_points(top), power)
    study = Study(
        name=name,
        title=top.word("title", name),
        quick=quick,
        baseline=read_baseline(top, [spec.label for spec in environments]),
        environments=environments,
        points=points,
        limits=read_limits(top.table("limits")),
        volume=read_volume(top.table("volume")),
        stopping=read_stopping(top.table("blocks"), quick),
        pace=read_pace(top.table("pace")),
        peer=peer,
        network_path=path,
        flash=read_flash(top.table("flash"), quick),
        margins=margins,
        class_margins=class_margins,
        primary=read_primary(top.table("primary"), points),
        exclude=read_exclusions(top.table("exclude")),
        vary_setup=top.flag("vary_setup", True),
        tuning=read_tuning(top.table("tuning")),
        cpu_sets=read_cpu_sets(top.table("cpu")),
        images=read_images(top.table("images")),
        smoke=smoke,
        text=text,
        power=power,
    )
    check_together(top, study)
    return grouped(study)


def read_baseline(top: Table, labels: Sequence[str]) -> str:
    """The environment that the others are compared with: the first one where it is not said."""
    baseline = top.word("baseline", labels[0])
    if baseline not in labels:
        raise top.mistake(
            "baseline", f"{baseline!r} is not one of the environments", f"choose one of: {', '.join(labels)}"
        )
    return baseline


def read_environments(table: Table) -> tuple[EnvironmentSpec, ...]:
    """[environments.LABEL]: kind (default: the label), and the kind's own settings."""
    found = []
    for label in table.keys():
        if not NAME.fullmatch(label):
            raise table.mistake(label, "a label may hold letters, digits, '.', '_' and '-', at most 40", "rename it")
        own = table.table(label)
        kind = own.word("kind", label)
        settings: dict[str, Scalar] = own.rest()
        spec = EnvironmentSpec(label, kind, settings)
        try:
            check_settings(environment_class(kind), spec)
        except UserError as error:
            raise UserError(f"{table.file}: {own.path}: {error.message}", error.hint) from None
        found.append(spec)
    if not found:
        raise table.mistake("", "a study needs at least one environment", "add a table such as [environments.native]")
    return tuple(found)


def read_pace(table: Table) -> Pace:
    """[pace]: settle, settle_limit, cool_within (°C), cool_limit."""
    pace = Pace(
        settle_s=table.duration("settle", 1.0),
        settle_limit_s=table.duration("settle_limit", 30.0),
        cool_within_c=table.number("cool_within", 2.0),
        cool_limit_s=table.duration("cool_limit", 120.0),
    )
    table.finish()
    if "settle" in table.keys() and pace.settle_s > pace.settle_limit_s:
        words = f"{pace.settle_s:g} s are longer than pace.settle_limit = {pace.settle_limit_s:g} s"
        raise table.mistake("settle", words, "raise settle_limit, or lower settle")
    return pace


def read_margins(table: Table) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """[margins]: by metric name, and `default`; [margins."WORDS"]: on devices whose model holds these words.

    0.05 means 5 %. Returns the margins of every device and those by class.
    """
    classes = {key: table.table(key) for key, value in table.content.items() if isinstance(value, dict)}
    given = {metric: checked_margin(table, metric) for metric in table.keys() if metric not in classes}
    return {**MARGINS, **given}, {
        words: {metric: checked_margin(own, metric) for metric in own.keys()} for words, own in classes.items()
    }


def checked_margin(table: Table, metric: str) -> float:
    """One margin of a table."""
    margin = table.number(metric, 0.0)
    if not 0 < margin < 1:
        raise table.mistake(metric, f"a margin lies between 0 and 1, not {margin:g}", "write 0.05 for 5 %")
    return margin


def read_primary(table: Table, points: Sequence[Point]) -> dict[str, str]:
    """[primary]: the one metric that verdicts are about, by workload or by point; the workload's own where not said."""
    known = {point.workload for point in points} | {point.name for point in points}
    found = {key: table.word(key, "") for key in table.keys()}
    for key, metric in found.items():
        if key not in known or not metric:
            words = "names no metric" if key in known else "is neither a workload nor a point of this study"
            raise table.mistake(key, words, f'one of: {", ".join(sorted(known))}; then a metric, as in fio = "iops"')
    return found


def read_images(table: Table) -> dict[str, str]:
    """[images]: a user's own kernel or userland, by path, or kernel = "host"."""
    found: dict[str, str] = {}
    found.update({name: table.word(name, "") for name in ("kernel", "userland") if name in table.keys()})
    for name, value in found.items():
        if not value:
            raise table.mistake(name, "names nothing", "give a path, or leave the key out")
    table.finish()
    return found


def check_together(top: Table, study: Study) -> None:
    """What only shows when the tables are seen together."""
    chosen = study.cpu_sets.get("environment", ())
    if chosen and study.limits.cpus and study.limits.cpus != len(chosen):
        words = f"{study.limits.cpus} is not the number of CPUs in cpu.environment ({len(chosen)})"
        raise top.mistake("limits.cpus", words, "leave limits.cpus out, or change the set")
    if study.quick and len(study.points) > QUICK_POINTS:
        words = f"a quick study has at most {QUICK_POINTS} points, this one has {len(study.points)}"
        raise top.mistake("quick", words, "leave points out, or write quick = false")
    sizes = largest_file(study)
    if sizes > 0.8 * study.volume.size_bytes:
        words = f"{study.volume.size_bytes >> 20} MiB do not hold files of {sizes >> 20} MiB in all"
        raise top.mistake("volume.size", words, "raise volume.size or lower the points' size")
    memory = study.limits.memory_bytes
    for point in study.points:
        filled = int(point.params.get("nthreads", 0)) * int(point.params.get("memsize", 0))
        if filled > THREADS_SHARE * memory:
            words = f"{memory >> 20} MiB do not hold {filled >> 20} MiB that the threads of {point.name} fill"
            raise top.mistake(
                "limits.memory", words, "make the point's memsize or nthreads smaller, or raise limits.memory"
            )


def largest_file(study: Study) -> int:
    """Bytes of all files that one boot lays out."""
    sizes: Mapping[str, int] = {
        f"{point.group} {point.params['size']}": int(point.params["size"])
        for point in study.points
        if "size" in point.params and isinstance(point.params["size"], int)
    }
    return sum(sizes.values())
