"""The campaign file's views as files of other formats: one file per view, read row by row."""

from __future__ import annotations

import base64
import csv
import json
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from importlib import import_module
from itertools import islice
from pathlib import Path

from primetime.errors import UserError
from primetime.store.campaign_file import CampaignFile
from primetime.store.database import give_to_user, is_there, make_directory
from primetime.store.schema import VIEW_NAMES
from primetime.store.trouble import decoding

ROWS_AT_ONCE = 100_000
PARQUET_INSTALL = "pip install 'primetime[parquet]'"
Cell = str | int | float | bytes | None
Rows = Iterator[tuple[Cell, ...]]
Write = Callable[[Path, list[str], Rows], None]


def export(campaign: Path, directory: Path, format_name: str) -> list[Path]:
    """Write every view of `campaign` to `<directory>/<view>.<format>`; return the files.

    `format_name`: csv, json or parquet. UserError when the directory holds something already.
    """
    write = WRITERS[format_name]
    with CampaignFile.open(campaign, write=False) as file:
        if format_name == "parquet":
            _need_pyarrow()
        made = not is_there(directory)
        if not made and (not directory.is_dir() or any(directory.iterdir())):
            raise UserError(f"{directory} exists already and is not an empty directory", "give a new one with -o")
        paths = {view: directory / f"{view}.{format_name}" for view in VIEW_NAMES}
        try:
            return [_export_view(file, view, path, write) for view, path in paths.items()]
        except BaseException as error:
            _take_back(paths.values(), directory if made else None)
            if not isinstance(error, OSError):
                raise
            reason = (error.strerror or str(error)).lower()
            raise UserError(f"cannot write to {directory}: {reason}", "give a writable place with -o") from error


def _take_back(paths: Iterable[Path], directory: Path | None) -> None:
    """Remove what an export that failed has written: half of one is worse than none."""
    with suppress(OSError):  # a place that is gone, or not writable any more
        for path in paths:
            path.unlink(missing_ok=True)
        if directory is not None:
            directory.rmdir()


def _export_view(file: CampaignFile, view: str, path: Path, write: Write) -> Path:
    make_directory(path.parent)
    found = file.found(f"SELECT * FROM {view}")
    rows = _unpacked(file.path, found.rows) if view == "raw" else (tuple(row) for row in found.rows)
    write(path, found.columns, rows)
    give_to_user(path)
    return path


def _unpacked(campaign: Path, rows: Iterable[sqlite3.Row]) -> Rows:
    """Yield rows of `raw` as text: what is no UTF-8 becomes base64."""
    for row in rows:
        with decoding(campaign):
            content = zlib.decompress(row["content"])
        try:
            yield row["trial"], row["name"], "utf-8", content.decode()
        except UnicodeDecodeError:
            yield row["trial"], row["name"], "base64", base64.b64encode(content).decode()


def _write_csv(path: Path, columns: list[str], rows: Rows) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(columns)
        writer.writerows(rows)


def _write_json(path: Path, columns: list[str], rows: Rows) -> None:
    with path.open("w", encoding="utf-8") as out:
        separator = "[\n"
        for row in rows:
            out.write(separator + json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False))
            separator = ",\n"
        out.write("[]\n" if separator == "[\n" else "\n]\n")


def _write_parquet(path: Path, columns: list[str], rows: Rows) -> None:
    pyarrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    # A column's type must be known before its first row: what may hold text anywhere is text, times and figures
    # are doubles, identities and counts are integers.
    kinds = {"float": pyarrow.float64(), "int": pyarrow.int64(), "text": pyarrow.string()}
    named = {name: _kind(path.stem, name) for name in columns}
    schema = pyarrow.schema([(name, kinds[kind]) for name, kind in named.items()])
    convert = [CONVERSIONS[kind] for kind in named.values()]
    with parquet.ParquetWriter(path, schema) as writer:
        while chunk := list(islice(rows, ROWS_AT_ONCE)):
            cells = zip(*chunk, strict=True)
            arrays = [_converted(column, to) for to, column in zip(convert, cells, strict=True)]
            writer.write_table(pyarrow.table(dict(zip(columns, arrays, strict=True)), schema=schema))


def _converted(column: tuple[Cell, ...], to: Callable[[Cell], Cell]) -> list[Cell]:
    """Return a column's cells in its one type, which SQLite does not enforce."""
    try:
        return [None if cell is None else to(cell) for cell in column]
    except (ValueError, OverflowError) as error:
        raise UserError(f"the campaign is damaged ({error})", "--format csv takes its cells as they are") from error


def _kind(view: str, column: str) -> str:
    if column in ("t", "t0", "t1", "duration_s", "offset_s", "drift_ppm", "residual_s"):
        return "float"
    if column == "value":
        return "text" if view == "facts" else "float"
    if column in ("boot", "block", "ord", "trial", "seed", "quick", "smoke", "point_group"):
        return "int"
    return "text"


def _need_pyarrow() -> None:
    try:
        import_module("pyarrow.parquet")
    except ModuleNotFoundError as error:
        raise UserError("Parquet needs the package pyarrow, which is not installed", PARQUET_INSTALL) from error


CONVERSIONS: dict[str, Callable[[Cell], Cell]] = {
    "float": lambda cell: float(cell or 0),
    "int": lambda cell: int(cell or 0),
    "text": str,
}
WRITERS: dict[str, Write] = {"csv": _write_csv, "json": _write_json, "parquet": _write_parquet}
FORMATS = tuple(WRITERS)
