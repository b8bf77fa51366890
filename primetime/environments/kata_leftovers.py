"""What Kata makes outside a private containerd's directories, so that it can be undone after any end.

Seen with Kata 4.1.0: fixed directories below /run, each with one entry per sandbox, and the mounts in them.
Its cgroups lie in the boot's own (sandbox_cgroup_only), its network namespace is ours.
"""

from __future__ import annotations

from pathlib import Path

from primetime.host.ledger import Act

RUN = Path("/run")
PER_SANDBOX = (
    "vc/sbs", "vc/vm", "vc/firecracker", "vc/fs", "kata", "kata-containers/shared/sandboxes", "kata-containers/shared",
)  # fmt: skip
PARENTS = (  # deepest first: removed when they were not there before and are empty
    "vc/sbs", "vc/vm", "vc/firecracker", "vc/fs", "vc", "kata-containers/shared/sandboxes", "kata-containers/shared",
    "kata-containers", "kata",
)  # fmt: skip


def kata_acts(sandbox: str, run: Path = RUN) -> list[Act]:
    """The acts that take a sandbox's own entries away, and the directories that Kata will have made."""
    absent = [str(run / name) for name in PARENTS if not (run / name).exists()]
    acts = [Act("paths", {"paths": absent})] if absent else []
    return [*acts, *(Act("tree", {"path": str(run / name / sandbox)}) for name in PER_SANDBOX)]
