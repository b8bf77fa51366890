"""A container in Kata Containers' virtual machine, under a private containerd.

    [environments.kata]
    hypervisor = "qemu"          # or clh, fc, dragonball
    snapshotter = "devmapper"    # a block device from a thin pool on the volume; or "overlayfs", over virtio-fs
    shared_fs = "none"           # or "virtio-fs"
    cache = "safe"               # flushes are passed on, past the host's cache where possible; "kata-default", "unsafe"
    runtime = "auto"             # or "go", "rust"
    install = ""                 # where Kata is: /opt/kata, else what `primetime tools install kata` brought

All that is chosen stands in the printed name: Kata is not one thing. Any cache but "safe" is a named variant.
Kata adds a container's limits to the machine's; the container has none, so the machine's are the campaign's.
Kata brings its own guest kernel.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from primetime.environments.base import Attachment, BootContext, Environment, Instance, Setting, Storage
from primetime.environments.containerd import DEVMAPPER, OVERLAYFS
from primetime.environments.containerd_container import Launch, started
from primetime.environments.containerd_runc import POOL_MIB, containerd_version, missing_containerd
from primetime.environments.kata_config import (
    CLOUD_HYPERVISOR,
    DRAGONBALL,
    FIRECRACKER,
    GO,
    KATAS_OWN,
    NO_SHARING,
    QEMU,
    RUST,
    SAFE,
    SHIM,
    UNSAFE,
    VIRTIO_FS,
    cache_annotations,
    direct_io,
    drop_in,
    find_installation,
    installation_roots,
    installed_hashes,
    values_of,
    write_configuration,
)
from primetime.environments.kata_container import MOUNTS, KataContainer
from primetime.environments.kata_leftovers import kata_acts
from primetime.environments.syslog import reading_syslog
from primetime.errors import BootFailed, UserError
from primetime.host.process import run
from primetime.model import EnvironmentSpec, Usability, Usable

REMEDY = "primetime tools install kata"


class Kata(Environment):
    """See the module."""

    kind = "kata"
    summary = "a container in Kata Containers' virtual machine"
    storage = Storage.DIRECTORY
    attachment = Attachment.NAMESPACE
    guest_kernel = True
    vmm_reserve_bytes = 192 * 1024 * 1024  # QEMU and the shim, as seen with Kata 4.1.0
    settings = (
        Setting("hypervisor", QEMU, (QEMU, CLOUD_HYPERVISOR, FIRECRACKER, DRAGONBALL), "which VMM Kata starts"),
        Setting("snapshotter", DEVMAPPER, (DEVMAPPER, OVERLAYFS), "what the root file system is made of"),
        Setting("shared_fs", NO_SHARING, (NO_SHARING, VIRTIO_FS), "how files of the host reach the guest"),
        Setting(
            "cache",
            SAFE,
            (SAFE, KATAS_OWN, UNSAFE),
            "the block device's cache, and whether flushes are passed on",
            (KATAS_OWN, UNSAFE),
        ),
        Setting("runtime", "auto", ("auto", GO, RUST), "which of Kata's two runtimes"),
        Setting("install", "", (), "where Kata is installed, an absolute path"),
        Setting("pool_mib", POOL_MIB, (), "size of the devmapper pool, and of the root in it, in MiB"),
    )

    def __init__(self, spec: EnvironmentSpec) -> None:
        super().__init__(spec)
        self.choice = values_of(self.values)
        reason, remedy = self.choice.conflict()
        if reason:
            raise UserError(f'environment "{spec.label}" ({self.kind}): {reason}', remedy)

    def notes(self) -> tuple[str, ...]:
        return (self.choice.hypervisor, self.choice.snapshotter, self.choice.shared_fs)

    def bypasses_host_cache(self) -> bool | None:
        return direct_io(self.choice)

    def pool_bytes(self) -> int:
        return int(self.values["pool_mib"]) << 20 if self.values["snapshotter"] == DEVMAPPER else 0

    def missing(self) -> Usability | None:
        lacking = missing_containerd(self.kind, ("containerd", "ctr"), self.choice.snapshotter)
        if lacking is None and find_installation(self.choice) is None:
            runtimes = " or ".join(self.choice.runtimes())
            where = " or ".join(map(str, installation_roots(self.choice)))
            reason = f"no Kata ({runtimes} runtime, {self.choice.hypervisor}) in {where}"
            return Usability(self.kind, Usable.NO, reason, REMEDY)
        return lacking

    def usable(self) -> Usability:
        installation = find_installation(self.choice)
        assert installation is not None
        words = run([str(installation.shims / SHIM), "--version"], timeout_s=20).stdout.decode()
        versions = {"containerd": containerd_version(), "kata": version_in(words), "kata-runtime": installation.runtime}
        return Usability(self.kind, Usable.YES, versions={**versions, **installed_hashes(installation)})

    @contextmanager
    def boot(self, context: BootContext) -> Iterator[Instance]:
        installation = find_installation(self.choice)
        if installation is None:
            raise BootFailed("kata", "the installation is gone")
        text = drop_in(self.choice, context.limits, context.boot_limit_s)
        configuration = write_configuration(context.directory / "kata", installation, text)
        options = ["--runtime", "io.containerd.kata.v2", "--runtime-config-path", str(configuration)]
        options += [*MOUNTS, *cache_annotations(self.choice)]
        shims = f"{installation.shims}:{installation.root / 'bin'}"
        launch = Launch(options, self.choice.snapshotter, int(self.values["pool_mib"]), shims)
        with ExitStack() as stack:
            for act in kata_acts(context.name):
                stack.enter_context(context.ledger.undone(act))
            stack.enter_context(reading_syslog(context.ledger, context.directory / "syslog"))
            container = stack.enter_context(started(context, launch, KataContainer))
            assert isinstance(container, KataContainer)
            container.choice = self.choice
            yield container


def version_in(words: str) -> str:
    """The version in what the shim says of itself."""
    return next((word.rstrip(",") for word in words.split() if word[:1].isdigit() and "." in word), "unknown")
