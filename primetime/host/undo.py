"""How each kind of act is undone. Every function accepts that the act never happened."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path

from primetime.errors import UndoFailed
from primetime.host import throttle
from primetime.host.cgroup import Cgroup, cgroup_mounts, remove_tree
from primetime.host.ledger import RUN_DIRECTORY, Json, Ledger, Undo
from primetime.host.mounts import mounts_below
from primetime.host.process import find_program, run
from primetime.host.services import flush_journal, start_unit
from primetime.host.thin_pool import remove_thin_pool

MNT_DETACH = 2


def undo_write(args: Mapping[str, Json]) -> None:
    """Write the original value back to a file of /proc or /sys."""
    path = Path(str(args["path"]))
    if path.exists():
        path.write_text(str(args["value"]), encoding="utf-8")


def undo_tree(args: Mapping[str, Json]) -> None:
    """Remove a directory and what is in it, after unmounting what is mounted below it."""
    path = Path(str(args["path"]))
    for mount in mounts_below(path):
        unmount(mount)
    if path.exists():
        shutil.rmtree(path)


def undo_mount(args: Mapping[str, Json]) -> None:
    """Unmount a path, as often as it is mounted."""
    for mount in mounts_below(Path(str(args["path"]))):
        unmount(mount)


def undo_cgroup(args: Mapping[str, Json]) -> None:
    """Kill what runs in a cgroup and remove it, also where only a container's runtime made it (devices, freezer, …)."""
    name = str(args["name"])
    Cgroup(name).remove()
    for mount in cgroup_mounts():
        remove_tree(mount / name)


def undo_namespace(args: Mapping[str, Json]) -> None:
    """Delete a named network namespace."""
    name = str(args["name"])
    if Path("/run/netns", name).exists():
        run(["ip", "netns", "delete", name], timeout_s=20)


def undo_namespaces(args: Mapping[str, Json]) -> None:
    """Unmount and remove the directory of named namespaces, unless somebody else has one there by now."""
    directory = Path(str(args["path"]))
    if not directory.is_dir() or any(directory.iterdir()):
        return
    for mount in mounts_below(directory):
        unmount(mount)
    directory.rmdir()


def undo_link(args: Mapping[str, Json]) -> None:
    """Delete a network interface (for a veth: the pair)."""
    name = str(args["name"])
    if Path("/sys/class/net", name).exists():
        run(["ip", "link", "delete", name], timeout_s=20, check=False)
    if Path("/sys/class/net", name).exists():
        raise UndoFailed(f"the interface {name} is still there")


def undo_nft_table(args: Mapping[str, Json]) -> None:
    """Delete a table of nftables."""
    name = str(args["name"])
    if find_program("nft") and run(["nft", "list", "table", "ip", name], timeout_s=20, check=False).returncode == 0:
        run(["nft", "delete", "table", "ip", name], timeout_s=20)


def undo_loop(args: Mapping[str, Json]) -> None:
    """Detach every loop device of a file."""
    listed = run(["losetup", "--noheadings", "--output", "NAME", "--associated", str(args["file"])], timeout_s=20)
    for device in listed.stdout.decode().split():
        run(["losetup", "--detach", device], timeout_s=20)


def undo_thin_pool(args: Mapping[str, Json]) -> None:
    """Remove a thin pool of the device mapper, with every device that was cut from it."""
    remove_thin_pool(str(args["name"]))


def undo_paths(args: Mapping[str, Json]) -> None:
    """Remove files, and directories as far as they are empty: somebody else may use them by now."""
    paths = args["paths"]
    assert isinstance(paths, list)
    for path in map(Path, paths):
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        else:
            path.unlink(missing_ok=True)


def undo_docker_container(args: Mapping[str, Json]) -> None:
    """Remove a container from a Docker engine; nothing when the engine has none of that name."""
    docker = ["docker", "--host", f"unix://{args['socket']}"]
    name = str(args["name"])
    if find_program("docker") is None:
        return
    run([*docker, "rm", "--force", "--volumes", name], timeout_s=60, check=False)
    listed = run([*docker, "ps", "--all", "--format", "{{.Names}}", "--filter", f"name=^{name}$"], timeout_s=60)
    if listed.stdout.strip():
        raise UndoFailed(f"the container {name} is still there")


def undo_process(args: Mapping[str, Json]) -> None:
    """Kill a process that we started, if it is still the same one (its start time is compared)."""
    pid = int(str(args["pid"]))
    if start_time(pid) == args["start_time"]:
        os.kill(pid, signal.SIGKILL)


def undo_unit(args: Mapping[str, Json]) -> None:
    """Start a service or timer that was stopped."""
    start_unit(str(args["name"]))


def undo_journal(args: Mapping[str, Json]) -> None:  # noqa: ARG001 - there is one
    """Let the journal write to the disk again."""
    flush_journal()


UNDOS: Mapping[str, Undo] = {
    "write": undo_write,
    "tree": undo_tree,
    "mount": undo_mount,
    "cgroup": undo_cgroup,
    "namespace": undo_namespace,
    "namespaces": undo_namespaces,
    "link": undo_link,
    "nft-table": undo_nft_table,
    "loop": undo_loop,
    "process": undo_process,
    "unit": undo_unit,
    "journal": undo_journal,
    throttle.KIND: throttle.undo_io_group,
    "thin-pool": undo_thin_pool,
    "paths": undo_paths,
    "docker-container": undo_docker_container,
}


def open_ledger(directory: Path = RUN_DIRECTORY) -> Ledger:
    """Return this device's ledger with every undo function known."""
    return Ledger(directory / "ledger", UNDOS)


def start_time(pid: int) -> str:
    """Return a process's start time in clock ticks since boot, "" when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def unmount(path: Path) -> None:
    """Unmount one mount point, lazily when it is busy. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    for flags in (0, MNT_DETACH):
        if libc.umount2(os.fsencode(path), flags) == 0:
            return
    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number), str(path))
