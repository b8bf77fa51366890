"""The program of the workload `files`: our own C source, compiled static, so that it runs in every userland.

Made where the images are made, for a foreign board with a cross compiler. A board without a compiler takes what
its bundle brings: `primetime bundle --files-for` compiles on the controller.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from primetime.errors import CommandFailed
from primetime.host.process import Spawning, find_program, run
from primetime.images.cache import Cache
from primetime.images.debian import debian_architecture

SOURCES = ("files.h", "files.c", "fileset.c")
FLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-static", "-s", "-pthread", "-Wl,--build-id=none")
COMPILERS = {"amd64": "x86_64-linux-gnu-gcc", "arm64": "aarch64-linux-gnu-gcc"}  # as Debian calls them everywhere
PLAIN_COMPILERS = ("gcc", "cc")
COMPILE_LIMIT_S = 300.0  # a small board


def file_program(cache: Cache, architecture: str) -> Path | None:
    """Return the program for Debian's `architecture`, compiling it when it is absent (seconds).

    None where it is neither in the package nor in the cache, and cannot be compiled here.
    """
    sources = {name: source(name) for name in SOURCES}
    brought = prebuilt(architecture)
    compiler = compiler_for(architecture)
    material = {
        "sources": {name: content.decode() for name, content in sources.items()},
        "flags": list(FLAGS),
        "brought": brought is not None,
    }

    def build(entry: Path) -> None:
        for name, content in sources.items():
            (entry / name).write_bytes(content)
        if brought is not None:
            (entry / "files").write_bytes(brought)
        else:
            units = [name for name in SOURCES if name.endswith(".c")]
            argv = [str(compiler), *FLAGS, *units, "-o", "files", "-lm"]
            run(argv, timeout_s=COMPILE_LIMIT_S, spawning=Spawning(cwd=entry))
        (entry / "files").chmod(0o755)

    name = f"files-{architecture}"
    if brought is None and compiler is None and not cache.path(name, material).is_dir():
        return None
    try:
        return cache.entry(name, material, build) / "files"
    except CommandFailed:
        return None  # a compiler without a static C library


def source(name: str) -> bytes:
    """Return one file of the package's data."""
    return files("primetime.images").joinpath("data", name).read_bytes()


def prebuilt(architecture: str) -> bytes | None:
    """Return the program that a bundle brings for this architecture, if it does."""
    path = files("primetime.images").joinpath("data", prebuilt_name(architecture))
    return path.read_bytes() if path.is_file() else None


def prebuilt_name(architecture: str) -> str:
    """How the compiled program is called in a bundle."""
    return f"files-{architecture}"


def compiler_for(architecture: str) -> str | None:
    """Return a compiler of this machine that makes programs for Debian's `architecture`, or None."""
    named = find_program(COMPILERS[architecture])
    if named or architecture != debian_architecture():
        return named
    return next((found for name in PLAIN_COMPILERS if (found := find_program(name))), None)
