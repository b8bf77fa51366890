"""Real environments on this machine: what tests here share."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from pathlib import Path

import pytest

from primetime.campaign.linux_device import LinuxDevice, Opening
from primetime.campaign.opening import open_device
from primetime.campaign.study_file import load_study
from primetime.environments import environment
from primetime.environments.base import Environment
from primetime.host.lock import device_lock
from primetime.host.undo import open_ledger
from primetime.images.cache import Cache
from primetime.images.guest import GuestImages, build_guest_images
from tests.host.machine import Standing, standing

STUDY = """
title = "what the tests measure"
baseline = "native"
[limits]
cpus = 1
memory = "384MiB"
[volume]
path = "{path}"
size = "128MiB"
[environments.native]
[environments.runc]
[environments.gvisor]
[environments.qemu]
[[points]]
workload = "fio"
rw = "randwrite"
bs = "4KiB"
size = "8MiB"
runtime = "1s"
[blocks]
min = 1
max = 1
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs this machine; without root it is skipped, and says why."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.host)
            if os.geteuid() != 0:
                item.add_marker(pytest.mark.skip(reason="real environments need root"))


@pytest.fixture(scope="session", autouse=True)
def clean_to_begin_with() -> None:
    """Undo what a killed run left before a test looks at this machine: else the first campaign does, in its midst."""
    with device_lock("tests"):
        open_ledger().replay()


@pytest.fixture(scope="session")
def images() -> GuestImages:
    return build_guest_images(Cache(), platform.machine(), {}, lambda words: None)


@pytest.fixture(scope="session")
def volume_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory on a disk: /tmp may be memory."""
    return Path(os.environ.get("PRIMETIME_TEST_VOLUME", "/var/tmp/primetime-test"))


@pytest.fixture(scope="session")
def study_path(tmp_path_factory: pytest.TempPathFactory, volume_path: Path) -> Path:
    path = tmp_path_factory.mktemp("study") / "tested.toml"
    path.write_text(STUDY.format(path=volume_path))
    return path


@pytest.fixture
def members(study_path: Path) -> dict[str, Environment]:
    return {spec.label: environment(spec) for spec in load_study(str(study_path)).environments}


@pytest.fixture
def device(study_path: Path, images: GuestImages, members: dict[str, Environment]) -> Iterator[LinuxDevice]:
    study = load_study(str(study_path))
    ledger = open_ledger()
    with device_lock("tests"):
        ledger.replay()
        with open_device(Opening(study, images, tuple(members.values()), ledger)) as opened:
            yield opened


@pytest.fixture
def unchanged() -> Iterator[Standing]:
    """Fail when a test leaves something behind on this machine."""
    before = standing()
    yield before
    assert standing() == before
