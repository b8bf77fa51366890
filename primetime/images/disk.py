"""A tree of files as a read-only ext4 image, with mke2fs alone: nothing is mounted."""

from __future__ import annotations

from pathlib import Path

from primetime.host.process import Spawning, require_program, run

BLOCK = 4096
FEATURES = "none,dir_index,ext_attr,extent,extra_isize,filetype,large_file,sparse_super"  # old kernels know these
IDENTITY = "7072696d-6574-696d-652d-757365726c64"  # UUID and hash seed, so that equal trees give equal images
EPOCH = "1735689600"
WRITE_LIMIT_S = 300.0


def write_disk(tree: Path, image: Path) -> None:
    """Write an image just large enough for `tree`. Raises CommandFailed."""
    program = require_program("mke2fs", "apt-get install e2fsprogs")
    blocks, inodes = needed(tree)
    argv = [
        program, "-q", "-F", "-t", "ext4", "-O", FEATURES, "-b", str(BLOCK), "-I", "256", "-N", str(inodes), "-m", "0",
        "-U", IDENTITY, "-E", f"hash_seed={IDENTITY},lazy_itable_init=0,nodiscard,root_owner=0:0", "-L", "userland",
        "-d", str(tree), str(image), str(blocks),
    ]  # fmt: skip
    times = {"SOURCE_DATE_EPOCH": EPOCH, "E2FSPROGS_FAKE_TIME": EPOCH, "MKE2FS_CONFIG": "/dev/null"}
    run(argv, timeout_s=WRITE_LIMIT_S, spawning=Spawning(env=times))
    image.chmod(0o444)


def needed(tree: Path) -> tuple[int, int]:
    """Return blocks and inodes for a file system that holds `tree`, with a little room for its own tables."""
    blocks, inodes = 0, 16
    for path in tree.rglob("*"):
        status = path.lstat()
        blocks += -(-status.st_size // BLOCK)
        inodes += 1
    tables = inodes * 256 // BLOCK
    return blocks + blocks // 32 + tables + 4096, inodes
