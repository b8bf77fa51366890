"""primetime report: what a campaign says, as a table here and a page to pass on."""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from primetime.cli import DONE
from primetime.errors import UserError
from primetime.store import give_to_user

if TYPE_CHECKING:
    from primetime.analysis import Analysis

SQLITE = b"SQLite format 3\0"  # what every such file begins with
INSTALL = "pip install 'primetime[analysis]'"
ANALYSIS_NEEDS = frozenset({"primetime.analysis", "primetime.report", "numpy", "scipy"})


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare what the verb takes."""
    parser.description = "Print what campaigns say and write it as one self-contained HTML file."
    parser.add_argument("campaigns", nargs="+", type=Path, metavar="CAMPAIGN", help="campaign files (.sqlite)")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="HTML", help="one page for all of them (default: one beside each campaign)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead; write a page only with -o")
    parser.add_argument(
        "--baseline", metavar="ENV", help="compare with this environment (default: the study's baseline)"
    )


def execute(options: argparse.Namespace) -> int:
    """Print the report and write its page; return the exit code."""
    if not options.json:
        show(options.campaigns, options.output, options.baseline)
        return DONE
    analyses = analysed(options.campaigns, options.baseline)
    with needing_analysis():
        from primetime.report.json_report import json_text
    print(json_text(analyses))
    if options.output is not None:
        write_pages(analyses, options.output)
    return DONE


def show(campaigns: Sequence[Path], output: Path | None = None, baseline: str | None = None) -> None:
    """Print the tables of campaigns and write their page, or one beside each campaign without `output`."""
    analyses = analysed(campaigns, baseline)
    with needing_analysis():
        from primetime.report.terminal import WIDTH, render_analysis
    width = max(WIDTH, shutil.get_terminal_size((WIDTH, 0)).columns)
    print("\n\n".join(render_analysis(one, width) for one in analyses))
    for page in write_pages(analyses, output):  # last: where no page can be written the table is still there
        print(f"\nThe report to pass on: {page}")


def analysed(campaigns: Sequence[Path], baseline: str | None) -> list[Analysis]:
    """Read and understand campaign files."""
    with needing_analysis():
        from primetime.analysis import analyse
    return [analyse(path, baseline) for path in campaigns]


def write_pages(analyses: list[Analysis], output: Path | None) -> list[Path]:
    """Write one page for all campaigns to `output`, or one beside each; return the files."""
    with needing_analysis():
        from primetime.report.html import html_report
    if output is not None:
        return [write_page(output, html_report(analyses))]
    return [write_page(one.data.path.with_suffix(".html"), html_report([one])) for one in analyses]


def write_page(path: Path, page: str) -> Path:
    """Write a page, owned by the user who called sudo. UserError when it cannot be written, or is a campaign's file."""
    try:
        if holds_campaign(path):
            raise UserError(f"{path} is an SQLite file, and no page is written over one", "give another name with -o")
        write_whole(path, page.encode(errors="replace"))  # it names files, and a file's name may be no text
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UserError(f"cannot write {path}: {reason}", "give a writable place with -o") from error
    return path


def holds_campaign(path: Path) -> bool:
    """Whether a file is there that may be a campaign, by its first bytes."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(SQLITE)) == SQLITE


def write_whole(path: Path, content: bytes) -> None:
    """Write a user's file as a whole or not at all; no regular file (a pipe, a device) takes it as it comes."""
    if path.exists() and not path.is_file():
        path.write_bytes(content)
        return
    whole = path.resolve()  # a link stays one
    part = whole.with_name(f".{os.getpid()}.html.part")
    try:
        part.write_bytes(content)
        give_to_user(part)
        part.replace(whole)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def needing_analysis() -> Iterator[None]:
    """Say how to install the understanding half where it is missing, as in primetime.pyz."""
    try:
        yield
    except ModuleNotFoundError as error:
        if not any(error.name == name or str(error.name).startswith(f"{name}.") for name in ANALYSIS_NEEDS):
            raise
        raise UserError(f"reports need a package that is not installed here ({error.name})", INSTALL) from error
