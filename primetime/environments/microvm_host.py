"""What a microVM needs of this host: a kernel that it can load, huge pages, a tap with the right MTU."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from primetime.environments.base import BootContext, failing_as
from primetime.errors import BootFailed
from primetime.host.ledger import Act
from primetime.host.process import run
from primetime.images.guest import GuestImages
from primetime.images.vmlinux import is_plain_kernel

HUGE = 2 * 1024 * 1024
HUGE_PAGES = Path("/sys/kernel/mm/hugepages/hugepages-2048kB")
HEADER = 64
IP_LIMIT_S = 20.0


def bootable_kernel(images: GuestImages) -> Path:
    """Return the kernel as a microVM loads it: an ELF on x86-64, an Image on Arm. BootFailed when it is neither."""
    for path in (images.kernel_elf, images.kernel_image):
        if path is not None and is_plain(path):
            return path
    raise BootFailed(
        "guest kernel",
        f"{images.kernel_image.name} of {images.kernel_version} is compressed in a form that primetime cannot undo, "
        "and this VMM loads uncompressed kernels only; leave images.kernel out",
    )


def is_plain(path: Path) -> bool:
    """Whether a file begins as an uncompressed kernel."""
    with path.open("rb") as file:
        return is_plain_kernel(file.read(HEADER))


@contextmanager
def reserved_huge_pages(context: BootContext) -> Iterator[None]:
    """Have free huge pages for all of the guest's memory; the pool is put back as it was. BootFailed when it cannot."""
    pool = HUGE_PAGES / "nr_hugepages"
    if not pool.exists():
        raise BootFailed("huge pages", "this kernel has none of 2 MiB")
    wanted = -(-context.limits.memory_bytes // HUGE)
    original = int(pool.read_text(encoding="ascii"))
    free = int((HUGE_PAGES / "free_hugepages").read_text(encoding="ascii"))
    with context.ledger.undone(Act("write", {"path": str(pool), "value": str(original)})):
        pool.write_text(str(original + max(0, wanted - free)), encoding="ascii")
        free = int((HUGE_PAGES / "free_hugepages").read_text(encoding="ascii"))
        if free < wanted:
            raise BootFailed("huge pages", f"{wanted} of 2 MiB are needed, the kernel gave {free}")
        yield


def huge_bytes(pids: Iterable[int]) -> int:
    """Return the bytes of huge pages that these processes hold, which no cgroup and no PSS shows (proc_pid_smaps)."""
    total = 0
    for pid in pids:
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
        total += sum(int(kib) * 1024 for kib in re.findall(r"^(?:Private|Shared)_Hugetlb:\s+(\d+)", text, re.MULTILINE))
    return total


def set_mtu(context: BootContext, mtu: int) -> None:
    """Give the tap the guest's MTU; the tap ends with the boot."""
    if mtu and context.connection.interface:
        with failing_as("mtu"):
            run(["ip", "link", "set", context.connection.interface, "mtu", str(mtu)], timeout_s=IP_LIMIT_S)
