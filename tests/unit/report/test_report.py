"""The three reports of made campaigns, and the verbs that print them."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from full_disk import no_file_over
from hypothesis import given
from hypothesis import strategies as st
from made_campaign import READ, REQUESTS, Making, make_campaign, rich

from primetime.analysis import analyse
from primetime.cli import DONE
from primetime.cli import export as export_verb
from primetime.cli import report as report_verb
from primetime.cli.ending import finish
from primetime.errors import UserError
from primetime.report.axis import ratio_axis, value_axis
from primetime.report.html import html_report
from primetime.report.markup import Markup, join, tag
from primetime.report.terminal import WIDTH, render_analysis
from primetime.store.export import export

COMPARISON = {
    "environment", "baseline", "workload", "point", "metric", "kind", "primary", "unit", "direction", "value",
    "baseline_value", "ratio", "low", "high", "margin", "verdict", "blocks", "trials", "warnings",
    "reason", "more_blocks", "q", "opinions", "states", "baseline_states",
}  # fmt: skip
EVIL = "<script>alert('x')</script>&\""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A campaign with most verdicts in it."""
    return make_campaign(tmp_path_factory.mktemp("report") / "made.sqlite", rich())


def run_report(*argv: str | Path) -> int:
    """Run the verb as the command line would."""
    parser = argparse.ArgumentParser()
    report_verb.configure(parser)
    return report_verb.execute(parser.parse_args([str(one) for one in argv]))


def render(campaign: Path, width: int = WIDTH) -> str:
    return render_analysis(analyse(campaign), width)


class Elements(HTMLParser):
    """Collects elements and attributes, and checks that they close in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_table_is_plain_aligned_and_narrow(made: Path) -> None:
    text = render(made)
    assert max(map(len, text.splitlines())) <= 100
    assert "\x1b" not in text
    table = [line for line in text.split("\n\n")[1].splitlines()[1:] if line.strip()]
    starts = {line.index(word) for line, word in zip(table[1:], ("baseline", "comparable"), strict=False)}
    assert starts == {table[0].index("verdict")}
    assert text.count("different, worse") == 1


def test_the_table_says_where_the_figures_are_from(made: Path) -> None:
    text = render(made)
    for words in ("geometric mean", "seed 20261124", "In words", "Warnings", "Left out", "CPU s/GB", "52.9 MB/s"):
        assert words in text
    assert "1 failed trial of gvisor in fio-randwrite-4KiB: fio ended with exit code 1" in text


def test_a_narrow_terminal_loses_a_column_first(made: Path) -> None:
    assert "CPU s/GB" not in render(made, width=80).split("\n\n")[1]


def test_a_campaign_that_measured_nothing(tmp_path: Path) -> None:
    path = make_campaign(tmp_path / "none.sqlite", Making(blocks=0))
    assert "Nothing has been measured yet" in render(path)
    assert "Nothing has been measured yet" in html_report([analyse(path)])


def test_json_has_exactly_the_promised_shape(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_report(made, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert list(report) == ["campaign", "device", "comparisons", "warnings", "excluded", "power", "claims"]
    assert (report["power"], report["claims"]) == (None, [])  # it had no meter
    assert all(set(one) == COMPARISON for one in report["comparisons"])
    assert all(list(one) == ["id", "severity", "scope", "sentence", "figures"] for one in report["warnings"])
    gvisor, cached = (
        next(one for one in report["comparisons"] if (one["environment"], one["point"]) == ("gvisor", point.name))
        for point in (REQUESTS, READ)
    )
    assert gvisor["primary"]
    assert gvisor["low"] < 0.52 < gvisor["high"]
    assert gvisor["verdict"] == "different"
    assert cached["verdict"] == "no verdict"
    assert "host-cached" in cached["warnings"]
    assert len(gvisor["trials"]) == 2 * gvisor["blocks"]
    assert not made.with_suffix(".html").exists()


def test_the_page_is_whole_and_loads_nothing(made: Path) -> None:
    elements = Elements(html_report([analyse(made), analyse(made)]))
    assert elements.open == []
    names = {name for name, _ in elements.seen}
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    assert not [attrs for _, attrs in elements.seen if {"src", "href", "style"} & attrs.keys()]
    assert not [key for _, attrs in elements.seen for key in attrs if key.startswith("on")]
    policy = next(attrs["content"] for _, attrs in elements.seen if attrs.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'sha256-")


def test_the_page_has_a_dot_per_boot_and_the_ratio_beside(made: Path) -> None:
    analysis = analyse(made)
    classes = [attrs.get("class") or "" for _, attrs in Elements(html_report([analysis])).seen]
    trials = sum(
        len(analysis.data.done(point, label)) for point in analysis.data.points for label in analysis.data.environments
    )
    done_boots = len(analysis.data.boots)
    assert sum(one.startswith("dot ") for one in classes) == trials + 2 * done_boots  # ready and footprint too
    intervals = [one for one in analysis.comparisons if one.primary and one.interval]
    assert sum(one.startswith("ratio ") for one in classes) == len(intervals)
    assert "band" in classes
    assert "one" in classes


def test_names_are_never_markup(tmp_path: Path) -> None:
    making = Making(kinds={"native": "native", EVIL: "runc"}, points=(READ,), name=EVIL, device=EVIL, blocks=2,
                    failing=frozenset({(EVIL, READ.name, 1)}))  # fmt: skip
    page = html_report([analyse(make_campaign(tmp_path / "evil.sqlite", making))])
    assert "<script" not in page
    assert page.count("&lt;script&gt;") > 10
    assert Elements(page).open == []


@given(text=st.text())
def test_text_comes_back_from_markup(text: str) -> None:
    found: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            assert tag == "p"
            found.append(dict(attrs)["title"] or "")

    Reader().feed(tag("p", text, title=text))
    assert found == [text.replace("\r\n", "\n").replace("\r", "\n")] or found == [text]
    assert join(tag("p", text), Markup("<b>")).count("<") == 3


@given(values=st.lists(st.floats(1e-9, 1e12), min_size=1, max_size=20))
def test_every_figure_lies_on_its_axis(values: list[float]) -> None:
    axis = value_axis(values, 10.0, 500.0)
    places = [axis.at(value) for value in sorted(values)]
    assert places == sorted(places)
    assert axis.low <= min(values)
    assert axis.high >= max(values)
    assert all(axis.low <= tick <= axis.high * 1.0000001 for tick in axis.ticks)


@given(ratios=st.lists(st.floats(1e-3, 1e3), max_size=10))
def test_one_lies_on_every_ratio_axis(ratios: list[float]) -> None:
    axis = ratio_axis(ratios, 0.0, 300.0)
    assert 1 in axis.ticks
    assert axis.low < 1 < axis.high
    places = [axis.at(tick) for tick in axis.ticks]
    assert all(after - before >= 34 for before, after in pairwise(places))


def test_the_verb_writes_the_page_beside_the_campaign(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = make_campaign(tmp_path / "runs" / "made.sqlite", rich())
    assert run_report(path) == 0
    out = capsys.readouterr().out
    assert str(tmp_path / "runs" / "made.html") in out
    assert (tmp_path / "runs" / "made.html").read_text().startswith("<!DOCTYPE html>")
    assert run_report(path, path, "-o", tmp_path / "both.html", "--baseline", "runc") == 0
    assert (tmp_path / "both.html").read_text().count("<article") == 2


def test_a_page_that_cannot_be_written(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was asked for on the screen is there all the same."""
    with pytest.raises(UserError, match="cannot write"):
        run_report(made, "-o", tmp_path / "none" / "page.html")
    assert "ratio [95 %]" in capsys.readouterr().out
    with pytest.raises(UserError, match="cannot write"):
        run_report(made, "--json", "-o", tmp_path / "none" / "page.html")
    assert json.loads(capsys.readouterr().out)["comparisons"]


def test_a_campaign_that_cannot_be_told_here_has_not_failed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = make_campaign(tmp_path / "made.sqlite", Making(blocks=1))
    path.with_suffix(".html").mkdir()
    assert finish(path, quiet=False) == DONE
    out = capsys.readouterr().out
    assert "cannot write" in out
    assert out.endswith(f"report it where analysis is installed: primetime report {path}\n")


@pytest.mark.parametrize("missing", ["numpy", "scipy", "primetime.analysis"])
def test_a_campaign_ends_well_where_analysis_has_not_what_it_needs(tmp_path: Path, missing: str) -> None:
    """As after `pip install primetime`, without its extra."""
    path = make_campaign(tmp_path / "made.sqlite", Making(blocks=1))
    program = f"""
import sys
from pathlib import Path
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name == {missing!r} or name.startswith({missing + "."!r}):
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
from primetime.cli.ending import finish
sys.exit(finish(Path({str(path)!r}), quiet=False))
"""
    ended = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (DONE, "")
    first, _, last = ended.stdout.splitlines()
    assert (first, last) == (str(path), f"report it where analysis is installed: primetime report {path}")


def test_without_the_understanding_half_the_verb_says_what_to_install(made: Path) -> None:
    """As in primetime.pyz, which travels without analysis and report."""
    program = f"""
import argparse, sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[:2] == ["primetime", "analysis"]:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
from primetime.cli import report
from primetime.errors import UserError
parser = argparse.ArgumentParser()
report.configure(parser)
try:
    report.execute(parser.parse_args([{str(made)!r}]))
except UserError as error:
    print(error.hint)
"""
    ended = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert ended.stdout.strip() == "pip install 'primetime[analysis]'"


def test_export_names_its_files(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    export_verb.configure(parser)
    assert export_verb.execute(parser.parse_args([str(made), "--format", "csv", "-o", str(tmp_path / "out")])) == 0
    assert str(tmp_path / "out" / "measurements.csv") in capsys.readouterr().out.splitlines()


def test_a_table_that_is_too_wide_leaves_out_what_is_said_elsewhere(made: Path) -> None:
    wide, narrow = render(made, width=200), render(made, width=80)
    assert "CPU s/GB" in wide
    assert "CPU s/GB" not in narrow
    assert "outside" not in next(line for line in wide.splitlines() if "ratio [95 %]" in line), "nobody measured it"
    assert max(map(len, narrow.splitlines())) <= 80


@pytest.mark.parametrize("name", ["same.sqlite", "other.sqlite", "link.html"])
def test_no_page_is_written_over_a_campaign(made: Path, tmp_path: Path, name: str) -> None:
    for one in ("same.sqlite", "other.sqlite"):
        shutil.copy(made, tmp_path / one)
    (tmp_path / "link.html").symlink_to(tmp_path / "other.sqlite")
    with pytest.raises(UserError, match="no page is written over one") as refused:
        run_report(tmp_path / "same.sqlite", "-o", tmp_path / name)
    assert refused.value.hint
    for one in ("same.sqlite", "other.sqlite"):
        assert (tmp_path / one).read_bytes() == made.read_bytes()


def test_a_campaign_that_is_called_a_page_is_not_lost_to_its_own(made: Path, tmp_path: Path) -> None:
    campaign = Path(shutil.copy(made, tmp_path / "odd.html"))
    with pytest.raises(UserError, match="no page is written over one"):
        run_report(campaign)
    assert campaign.read_bytes() == made.read_bytes()


def test_a_page_goes_through_a_link_and_into_a_device(made: Path, tmp_path: Path) -> None:
    (tmp_path / "link.html").symlink_to(tmp_path / "page.html")
    (tmp_path / "page.html").write_text("an older one")
    run_report(made, "-o", tmp_path / "link.html")
    assert (tmp_path / "link.html").is_symlink()
    assert (tmp_path / "page.html").read_text(encoding="utf-8").lower().startswith("<!doctype html>")
    run_report(made, "-o", "/dev/null")
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize("before", ["an older one", None])
def test_a_full_disk_leaves_no_half_page(made: Path, tmp_path: Path, before: str | None) -> None:
    page = tmp_path / "page.html"
    if before is not None:
        page.write_text(before)
    analyses = [analyse(made)]
    with no_file_over(8192), pytest.raises(UserError, match="cannot write"):
        report_verb.write_pages(analyses, page)
    assert {one.name: one.read_text() for one in tmp_path.iterdir()} == ({page.name: before} if before else {})


@pytest.mark.parametrize("there", [True, False])
def test_a_full_disk_leaves_no_half_export(made: Path, tmp_path: Path, there: bool) -> None:
    directory = tmp_path / "out"
    if there:
        directory.mkdir()
    with no_file_over(8192), pytest.raises(UserError, match="cannot write to"):
        export(made, directory, "csv")
    assert list(tmp_path.rglob("*")) == ([directory] if there else [])


def test_a_campaign_whose_name_is_no_text_is_reported(made: Path, tmp_path: Path) -> None:
    campaign = Path(shutil.copy(made, tmp_path / "y\udcff.sqlite"))
    assert run_report(campaign, "-o", tmp_path / "page.html") == DONE


def test_an_export_to_a_name_that_no_directory_can_have(made: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="file name too long"):
        export(made, tmp_path / ("x" * 300), "csv")
