"""The private containerd: its configuration, its image, what its client prints, and what it leaves outside."""

from __future__ import annotations

import io
import json
import tarfile
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from primetime.environments import environment
from primetime.environments.base import BootContext
from primetime.environments.containerd import (
    DaemonPlan,
    config_text,
    last_error,
    link_userland,
    outside_paths,
    shim_socket,
    snapshot_keys,
    task_states,
    without_empty_options,
)
from primetime.environments.containerd_container import Launch, run_arguments
from primetime.environments.containerd_image import NAME, empty_layer_digest, image_archive
from primetime.host.process import Placement
from primetime.model import EnvironmentSpec

RECORDED = Path(__file__).parents[2] / "recorded"
ONLY_LAYER = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"


def context() -> BootContext:
    parts = {
        "name": "b7",
        "volume": Path("/vol/b7"),
        "directory": Path("/run/primetime/b7"),
        "cgroup": SimpleNamespace(name="primetime/b7", hierarchy=None),
        "connection": SimpleNamespace(namespace="pt-b7"),
    }
    return cast(BootContext, SimpleNamespace(**parts))


def plan(snapshotter: str = "overlayfs") -> DaemonPlan:
    return DaemonPlan(context(), Placement(), snapshotter, 512)


def test_everything_of_the_daemon_lies_in_the_boot_and_on_the_volume() -> None:
    config = tomllib.loads(config_text(plan()))
    assert config["root"] == "/vol/b7/containerd"
    assert config["state"] == "/run/primetime/b7/containerd"
    assert config["grpc"]["address"] == "/run/primetime/b7/containerd/containerd.sock"
    assert "io.containerd.grpc.v1.cri" in config["disabled_plugins"]
    assert "plugins" not in config


def test_devmapper_cuts_from_our_own_pool() -> None:
    settings = tomllib.loads(config_text(plan("devmapper")))["plugins"]["io.containerd.snapshotter.v1.devmapper"]
    assert settings["pool_name"] == "primetime-b7"
    assert settings["base_image_size"] == "512MB"
    assert settings["root_path"].startswith("/vol/b7/")


def test_what_the_client_prints_is_understood() -> None:
    assert task_states((RECORDED / "ctr-1.6.20-tasks-list.txt").read_text()) == {"b1": "RUNNING"}
    assert snapshot_keys((RECORDED / "ctr-1.6.20-snapshots-list.txt").read_text()) == ["b1", ONLY_LAYER]


def test_the_image_names_the_empty_layer_and_holds_all_parts() -> None:
    with tarfile.open(fileobj=io.BytesIO(image_archive("arm64"))) as archive:
        read = {one.name: cast(io.BufferedReader, archive.extractfile(one)).read() for one in archive.getmembers()}
    index = json.loads(read["index.json"])["manifests"][0]
    assert index["annotations"]["io.containerd.image.name"] == NAME
    manifest = json.loads(read["blobs/" + index["digest"].replace(":", "/")])
    config = json.loads(read["blobs/" + manifest["config"]["digest"].replace(":", "/")])
    assert config["architecture"] == "arm64"
    assert config["rootfs"]["diff_ids"] == [empty_layer_digest()] == [ONLY_LAYER]
    assert len(read["blobs/" + manifest["layers"][0]["digest"].replace(":", "/")]) == manifest["layers"][0]["size"]
    assert image_archive("arm64") == image_archive("arm64")


def test_the_shims_socket_is_named_as_containerd_names_it() -> None:
    named = shim_socket(Path("/run/primetime/b7/containerd/containerd.sock"), "b7")
    assert named.parent == Path("/run/containerd/s")
    assert named != shim_socket(Path("/run/primetime/b7/containerd/containerd.sock"), "b8")
    assert str(named) in outside_paths(plan())


def test_only_directories_that_were_not_there_are_undone_the_inner_ones_first(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    assert outside_paths(plan(), tmp_path)[1:] == [str(tmp_path / "fifo")]
    absent = tmp_path / "absent"
    assert outside_paths(plan(), absent)[1:] == [str(absent / "s"), str(absent / "fifo"), str(absent)]


def test_a_machine_beside_the_container_is_ended_before_its_disk_is_taken_away() -> None:
    # seen with Kata 4.1.0: shim and QEMU sit in kata_container and have a device of the thin pool open
    assert [group.name for group in plan().cgroups] == [
        "primetime/b7/runtime", "primetime/b7/container", "primetime/b7/kata_container",
    ]  # fmt: skip


def test_a_mount_command_without_options_is_mended() -> None:
    # seen with containerd 1.7.24 and devmapper
    bare = ["mount", "-t", "ext4", "/dev/mapper/primetime-b5-snap-1", "/run/primetime/b5/base", "-o"]
    assert without_empty_options(bare) == bare[:-1]
    assert without_empty_options([*bare, "ro"]) == [*bare, "ro"]


def test_the_userland_stands_in_for_the_base_snapshot(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/file").write_text("x")
    (tmp_path / "fs").mkdir()
    link_userland(tmp_path / "fs", tmp_path / "tree")
    assert (tmp_path / "fs/file").read_text() == "x"


def test_the_container_is_put_into_the_boots_cgroup_and_network() -> None:
    words = run_arguments(context(), Launch(["--seccomp"], "overlayfs", 0))
    assert words[words.index("--cgroup") + 1] == "/primetime/b7/container"
    assert words[words.index("--with-ns") + 1] == "network:/run/netns/pt-b7"
    assert words[words.index("--seccomp") + 1 :][:2] == [NAME, "b7"]


def test_the_daemons_complaint_is_found_among_its_words(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text('time="x" level=info msg="starting"\ncontainerd: no such file\ntime="x" level=info msg="stop"\n')
    assert last_error(log) == "containerd: no such file"
    log.write_text("")
    assert last_error(log) == "it said nothing"


def test_the_printed_name_says_devmapper() -> None:
    assert environment(EnvironmentSpec("c", "containerd-runc")).printed_name() == "c"
    block = environment(EnvironmentSpec("c", "containerd-runc", {"snapshotter": "devmapper"}))
    assert block.printed_name() == "c (devmapper)"
