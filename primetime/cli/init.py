"""`primetime init`: a commented study file to start from."""

from __future__ import annotations

import argparse
from pathlib import Path

from primetime.cli import DONE
from primetime.errors import UserError
from primetime.store import give_to_user
from primetime.store.database import require_text

TEMPLATE = """\
# A study: what to measure. Every key here may be left out, and has its default then, except environments and points.
# All keys: docs/study-file.md. What this will do, before anything runs: primetime plan {file}
title = "my study"
baseline = "native"           # the others are compared with this one

# One table per environment. The label is yours; kind is the label unless you say it.
[environments.native]
[environments.runc]
[environments.gvisor]
[environments.qemu]

# [environments.qemu-cached]  # the same kind twice, with another setting
# kind = "qemu"
# cache = "writeback"

[limits]                      # the same for every environment
cpus = 1                      # 0: as many as the CPU set has
memory = "512MiB"             # what runs inside sees

[volume]                      # the storage under test
path = "/var/lib/primetime"   # a directory on the file system that you want to know about
size = "1GiB"

[blocks]                      # in each, every environment is booted once, in a random order
min = 10
max = 20
half_width = 0.03             # a point is done when its interval is within 3 %
budget = "4h"                 # no new block after this much measuring

# A list as a value makes one point per value: these are two points.
[[points]]
workload = "fio"
rw = ["randread", "randwrite"]
bs = "4KiB"
size = "128MiB"
direct = true
runtime = "5s"

[[points]]
workload = "fio"
rw = "randwrite"
bs = "4KiB"
size = "128MiB"
fsync = 1                     # after every write
runtime = "5s"

[[points]]
workload = "netperf"
test = "stream"               # or "maerts" (towards the environment), "rr" (request and response)
message = "1KiB"
runtime = "5s"

[[points]]
workload = "start"            # time to the first process, and memory
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Say what may be typed."""
    parser.add_argument("file", nargs="?", type=Path, default=Path("my.toml"), help="default: my.toml")


def execute(options: argparse.Namespace) -> int:
    """Write it. UserError when something is there already."""
    path: Path = options.file
    require_text(path)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(TEMPLATE.format(file=path))
    except FileExistsError:
        raise UserError(f"{path} exists already", "name another file: primetime init other.toml") from None
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}", "primetime init PLACE/my.toml") from None
    give_to_user(path)
    print(f"wrote {path}; see what it will do: primetime plan {path}")
    return DONE
