"""A running Docker engine, through its own client: what it says of itself, and the userland as an image in it.

The image stays in the engine as a cache, as the userland stays in primetime's own: it is imported once for a
userland, and an older one goes when a newer is imported. `docker image rm primetime-userland:…` removes it.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from primetime.environments.base import BootContext, failing_as
from primetime.errors import BootFailed, CommandFailed
from primetime.host.process import Spawning, run, spawn
from primetime.model import Outcome

REPOSITORY = "primetime-userland"
STEP_LIMIT_S = 120.0
ASK_LIMIT_S = 30.0  # what an engine that works needs seconds for at most: doctor waits for one that hangs
IMPORT_LIMIT_S = 900.0
TAG_LENGTH = 16


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine by its socket."""

    socket: str

    def argv(self, *arguments: str) -> list[str]:
        """The client's command line."""
        return ["docker", "--host", f"unix://{self.socket}", *arguments]

    def run(self, *arguments: str, check: bool = True, limit_s: float = STEP_LIMIT_S) -> Outcome:
        """Run the client. Raises CommandFailed, CommandTimeout."""
        return run(self.argv(*arguments), timeout_s=limit_s, check=check)

    def info(self) -> dict[str, Any]:
        """What the engine says of itself. Raises CommandFailed when none answers, CommandTimeout when it hangs."""
        outcome = self.run("info", "--format", "{{json .}}", limit_s=ASK_LIMIT_S)
        return parse_info(outcome.stdout)

    def inspect(self, container: str) -> dict[str, Any] | None:
        """What it says of a container; None when there is none."""
        outcome = self.run("container", "inspect", container, check=False)
        found: list[dict[str, Any]] = json.loads(outcome.stdout or b"[]")
        return found[0] if found else None

    def ensure_image(self, context: BootContext) -> str:
        """Return the userland's image, importing it when the engine has none. Raises BootFailed."""
        tag = f"{REPOSITORY}:{context.images.hashes['userland'][:TAG_LENGTH]}"
        listed = self.run("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", REPOSITORY).stdout.decode().split()
        if tag not in listed:
            with failing_as("docker import"):
                self.import_tree(context.images.userland, tag)
        for older in listed:
            if older != tag:
                self.run("image", "rm", older, check=False)  # a container of somebody's may use it
        return tag

    def import_tree(self, tree: Path, tag: str) -> None:
        """Import a directory as an image of one layer. Raises CommandFailed, CommandTimeout."""
        pack = ["tar", "--create", "--numeric-owner", "--xattrs", "--directory", str(tree), "."]
        argv = self.argv("import", "-", tag)
        with (
            spawn(pack, Spawning(stdout=subprocess.PIPE)) as packing,
            spawn(argv, Spawning(stdin=packing.stdout or 0, stderr=subprocess.PIPE)) as importing,
        ):
            if packing.stdout:
                packing.stdout.close()  # it is the other's now
            _, words = importing.communicate(timeout=IMPORT_LIMIT_S)
            if importing.returncode != 0:
                raise CommandFailed(argv, importing.returncode, words)


def parse_info(content: bytes) -> dict[str, Any]:
    """Read `docker info` as JSON. CommandFailed when no engine answered: the client then ends with 0 all the same."""
    info: dict[str, Any] = json.loads(content)
    errors = info.get("ServerErrors")
    if errors:
        raise CommandFailed(("docker", "info"), 1, str(errors[0]).encode())
    return info


def cgroup_name(content: str) -> str:
    """The container's cgroup, relative to a controller's root, from /proc/<pid>/cgroup. BootFailed when not limited."""
    fields = [line.split(":", 2) for line in content.splitlines()]
    by_memory = [path for _, controllers, path in fields if "memory" in controllers.split(",")]
    unified = [path for number, _, path in fields if number == "0"]
    name = (by_memory or unified or ["/"])[0].lstrip("/")
    if not name:
        raise BootFailed("cgroup", "the engine has put the container into the root cgroup, where nothing is limited")
    return name


def peer_interface(index: str) -> str:
    """The host's interface of that index: the other end of a container's veth; "" when there is none."""
    for path in Path("/sys/class/net").iterdir():
        if (path / "ifindex").read_text(encoding="ascii").strip() == index.strip():
            return path.name
    return ""
