"""`plan` says what `run` will do with the same seed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from primetime.campaign import survey
from primetime.campaign.forecast import Forecast, Need
from primetime.campaign.plan import plan_block
from primetime.campaign.study_file import load_study
from primetime.cli import DONE, main
from primetime.cli import plan as plan_verb
from primetime.cli.plan import as_json, duration_in_words, forecast_lines, in_words, plan

STUDY = """
title = "two of a kind"
[environments.a]
kind = "fake"
[environments.b]
kind = "fake"
[[points]]
workload = "fake"
name = "one"
[[points]]
workload = "fake"
name = "two"
writes = true
[blocks]
min = 2
max = 3
"""


@pytest.fixture
def study_file(tmp_path: Path) -> str:
    path = tmp_path / "two.toml"
    path.write_text(STUDY)
    return str(path)


def planned(capsys: pytest.CaptureFixture[str], *argv: str) -> dict[str, Any]:
    assert main(["plan", *argv, "--json"]) == DONE
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.parametrize(("pool", "fits"), [(1536, True), (2048, False)])
def test_a_pool_that_does_not_fit_on_its_partition_is_said(pool: int, fits: bool) -> None:
    study = load_study("microvm-on-edge")
    specs = [
        replace(s, settings={**s.settings, "pool_mib": pool}) if s.kind == "kata" else s for s in study.environments
    ]
    on_partition = replace(study, environments=tuple(specs), volume=replace(study.volume, mode="partition"))
    assert ("does not fit on a partition volume" in in_words(plan(on_partition, 1))) != fits
    assert "does not fit on" not in in_words(plan(replace(on_partition, volume=study.volume), 1))


def test_what_this_device_would_refuse_is_said(tmp_path: Path) -> None:
    path = tmp_path / "wide.toml"
    path.write_text(STUDY + "[limits]\ncpus = 9999\n")
    wide = plan(load_study(str(path)), 1)
    [refusal] = json.loads(as_json(wide))["refusals"]
    assert "this device would refuse it: limits.cpus = 9999 does not fit this device's CPUs" in refusal
    assert refusal in in_words(wide).splitlines()
    path.write_text(STUDY + "[limits]\ncpus = 1\n")
    assert json.loads(as_json(plan(load_study(str(path)), 1)))["refusals"] == []


def test_the_same_orders_as_the_runner(study_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    study = load_study(study_file)
    found = planned(capsys, study_file, "--seed", "7")
    assert found["seed"] == 7
    for said in found["blocks"]:
        block = plan_block(study, 7, said["block"], ["one", "two"], frozenset())
        assert [slot["environment"] for slot in said["slots"]] == [slot.environment for slot in block.slots]
        assert [tuple(slot["points"]) for slot in said["slots"]] == [slot.points for slot in block.slots]
    assert [said["block"] for said in found["blocks"]] == [1, 2, 3]


def test_every_cell_once_in_smoke(study_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = planned(capsys, study_file, "--smoke")
    assert found["smoke"] is True
    assert len(found["blocks"]) == 1
    assert found["estimate"]["trials"] == 4


def test_trials_are_those_of_the_blocks(study_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = planned(capsys, study_file)
    slots = [slot for block in found["blocks"] for slot in block["slots"]]
    assert sum(len(slot["points"]) for slot in slots) == found["estimate"]["trials"] == 18


def test_in_words(study_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", study_file, "--seed", "7"]) == DONE
    out = capsys.readouterr().out
    assert out.startswith("two of a kind\n")
    first = plan(load_study(study_file), 7).blocks[0]
    labels = " ".join(slot.environment for slot in first.slots)
    numbers = " ".join({"one": "1", "two": "2"}[name] for name in first.slots[0].points)
    assert f"    1  {labels}   {numbers}\n" in out
    assert "from block 3 on" in out
    assert "at most 18 trials" in out
    assert "--seed 7" in out


@pytest.mark.parametrize("kvm", [True, False])
def test_what_cannot_be_emulated_is_left_out_without_kvm(
    kvm: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the survey has it: QEMU's guests are emulated then, Firecracker and Kata refused."""
    device = tmp_path / "kvm"
    if kvm:
        device.touch()
    monkeypatch.setattr(survey, "KVM", device)
    monkeypatch.setattr(plan_verb, "machine_emulation", lambda: "")
    found = planned(capsys, "microvm-on-edge", "--smoke")
    said = {one["label"]: (one["one_block"], one["left_out"]) for one in found["environments"]}
    refused = ("firecracker", "firecracker-default", "kata")
    for label in refused:
        assert said[label] == ("", "" if kvm else "it needs KVM: there is no /dev/kvm")
    assert said["qemu"] == ("" if kvm else "there is no /dev/kvm, so it is emulated", "")
    assert said["native"] == said["runc"] == ("", "")
    points = len(found["points"])
    assert found["estimate"]["trials"] == points * (len(said) - (0 if kvm else len(refused)))
    words = in_words(plan(load_study("microvm-on-edge", smoke=True), 7))
    assert ("kata: it needs KVM: there is no /dev/kvm: it would be left out" in words) == (not kvm)


@pytest.mark.parametrize(
    ("seconds", "words"), [(61, "61 s"), (300, "5 min"), (9000, "2.5 h"), (200_000, "2.3 days"), (0, "0 s")]
)
def test_durations_for_people(seconds: float, words: str) -> None:
    assert duration_in_words(seconds) == words


def test_shipped_studies_can_be_planned(capsys: pytest.CaptureFixture[str]) -> None:
    found = planned(capsys, "quick")
    assert found["estimate"]["seconds"] < 600
    assert found["estimate"]["bytes_written"] > 0


def test_an_estimate_says_when_the_studys_own_limit_comes_first() -> None:
    study = load_study("quick")
    enough, never = (Need("p", "runc", "rate", 2, blocks, True) for blocks in (3, None))
    reached, capped = (forecast_lines(study, Forecast((need,), 5, 90.0, ()))[-1] for need in (enough, never))
    assert reached == "about 5 blocks in 90 s"
    assert capped == "about 5 blocks in 90 s: blocks.max = 5 ends it before 5 % is reached everywhere"
