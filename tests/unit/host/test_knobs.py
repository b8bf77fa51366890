"""Knobs: what is written, what is put back, what is refused. Files of a made-up root, the real ledger."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from primetime.errors import UserError
from primetime.host import knobs
from primetime.host.knobs import KNOBS, Knob, tuned
from primetime.host.ledger import Ledger
from primetime.host.undo import UNDOS
from primetime.model import Scalar

VM = "proc/sys/vm"
THP = "sys/kernel/mm/transparent_hugepage/enabled"
NO_TURBO = "sys/devices/system/cpu/intel_pstate/no_turbo"
BOOST = "sys/devices/system/cpu/cpufreq/boost"


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger", UNDOS)


def rooted(name: str, root: Path, files: Mapping[str, str]) -> Knob:
    """The shipped knob on a root with these files."""
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return replace(KNOBS[name], root=root)


def test_a_value_is_applied_to_every_file_and_each_gets_its_own_back(tmp_path: Path, ledger: Ledger) -> None:
    policy = "sys/devices/system/cpu/cpufreq/policy{}/scaling_governor"
    files = {policy.format(0): "ondemand\n", policy.format(4): "schedutil\n"}
    knob = rooted("governor", tmp_path, files)
    assert knob.show() == "ondemand/schedutil"
    with knob.apply(ledger, "performance"):
        assert knob.show() == "performance"
        assert len(ledger.entries()) == 2
    assert {name: (tmp_path / name).read_text().strip() for name in files} == {
        name: text.strip() for name, text in files.items()
    }
    assert ledger.entries() == []


def test_the_original_is_in_the_ledger_while_it_is_applied(tmp_path: Path, ledger: Ledger) -> None:
    """After a kill -9 only the ledger is left: replaying it must be enough."""
    knob = rooted("thp", tmp_path, {THP: "always [madvise] never\n"})
    with knob.apply(ledger, "never"):
        left = Ledger(tmp_path / "left", UNDOS)
        shutil.copytree(ledger.directory, left.directory)
        assert (tmp_path / THP).read_text() == "never"
        assert left.replay() != []
        assert (tmp_path / THP).read_text() == "madvise"


@pytest.mark.parametrize("name", ["dirty_bytes", "dirty_background_bytes"])
def test_a_limit_in_bytes_is_put_back_through_its_ratio_because_0_is_refused(
    name: str, tmp_path: Path, ledger: Ledger
) -> None:
    ratio = f"{VM}/{name.removesuffix('bytes')}ratio"
    knob = rooted(name, tmp_path, {f"{VM}/{name}": "0\n", ratio: "20\n"})
    with knob.apply(ledger, 64 << 20):
        assert knob.show() == str(64 << 20)
        (tmp_path / ratio).write_text("0")  # as the kernel does
    assert (tmp_path / ratio).read_text() == "20"
    assert (tmp_path / VM / name).read_text() == str(64 << 20)  # never written: a kernel resets it itself


def test_a_limit_that_was_in_bytes_is_put_back_in_bytes(tmp_path: Path, ledger: Ledger) -> None:
    knob = rooted("dirty_bytes", tmp_path, {f"{VM}/dirty_bytes": "1048576\n", f"{VM}/dirty_ratio": "0\n"})
    with knob.apply(ledger, 4096 * 4):
        pass
    assert (tmp_path / VM / "dirty_bytes").read_text() == "1048576"
    assert (tmp_path / VM / "dirty_ratio").read_text() == "0\n"


@pytest.mark.parametrize(("path", "off"), [(NO_TURBO, "1"), (BOOST, "0")])
def test_turbo_means_the_same_on_every_driver(path: str, off: str, tmp_path: Path, ledger: Ledger) -> None:
    knob = rooted("turbo", tmp_path, {path: str(1 - int(off))})
    assert knob.show() == "true"
    with knob.apply(ledger, False):
        assert (tmp_path / path).read_text() == off
        assert knob.show() == "false"
    assert knob.show() == "true"


@pytest.mark.parametrize(
    ("name", "value"),
    [("ksm", 1), ("ksm", "yes"), ("aslr", True), ("aslr", -1), ("dirty_bytes", "64MiB"), ("thp", ""), ("aslr", 1.5)],
)
def test_an_impossible_value_is_the_users_mistake(name: str, value: Scalar) -> None:
    with pytest.raises(UserError, match=f"tuning.{name} cannot be") as caught:
        KNOBS[name].check(value)
    assert caught.value.hint.startswith("set it to ")


def test_an_unknown_knob_is_the_users_mistake_before_anything_is_written(ledger: Ledger) -> None:
    with pytest.raises(UserError, match="unknown knob"), tuned(ledger, {"aslr": 2, "warp": 9}):
        pass
    assert ledger.entries() == []


def test_a_knob_that_this_device_lacks_is_a_fact_and_no_failure(
    tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(knobs, "KNOBS", {"thp": replace(KNOBS["thp"], root=tmp_path)})
    with tuned(ledger, {"thp": "never"}) as facts:
        values = {fact.name: fact.value for fact in facts}
    assert str(values["tuning.thp"]).startswith("not applied: this device has no /sys/kernel/mm")
    assert values["knob.thp"] is None


def test_every_knob_of_this_machine_can_be_shown() -> None:
    shown = {fact.name for fact in knobs.show_all()}
    assert shown == {f"knob.{name}" for name in (*knobs.knob_names(), "swap")}
