"""An OCI image that needs no registry: one empty layer, in whose place a snapshot of the userland is put.

Source: opencontainers/image-spec (image-layout.md, manifest.md, config.md).
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from typing import Any

NAME = "primetime/userland:latest"
EMPTY_LAYER = bytes(1024)  # a tar archive without members
OCI = "application/vnd.oci.image"


def empty_layer_digest() -> str:
    """The name under which containerd looks for the unpacked layer: of one layer, its chain id is its diff id."""
    return digest(EMPTY_LAYER)


def image_archive(architecture: str) -> bytes:
    """Return the image as a tar archive for `ctr image import`. `architecture`: Debian's name, which is Go's too."""
    config = encoded({
        "architecture": architecture,
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [digest(EMPTY_LAYER)]},
    })  # fmt: skip
    manifest = encoded({
        "schemaVersion": 2,
        "mediaType": f"{OCI}.manifest.v1+json",
        "config": described("config.v1+json", config),
        "layers": [described("layer.v1.tar", EMPTY_LAYER)],
    })  # fmt: skip
    named = {**described("manifest.v1+json", manifest), "annotations": {"io.containerd.image.name": NAME}}
    files = {"oci-layout": encoded({"imageLayoutVersion": "1.0.0"})}
    files["index.json"] = encoded({"schemaVersion": 2, "manifests": [named]})
    files.update({f"blobs/{digest(blob).replace(':', '/')}": blob for blob in (EMPTY_LAYER, config, manifest)})
    return tar(files)


def described(kind: str, blob: bytes) -> dict[str, Any]:
    """How one part names another."""
    return {"mediaType": f"{OCI}.{kind}", "digest": digest(blob), "size": len(blob)}


def digest(blob: bytes) -> str:
    """A part's name."""
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def encoded(content: dict[str, Any]) -> bytes:
    """A JSON part."""
    return json.dumps(content).encode()


def tar(files: dict[str, bytes]) -> bytes:
    """An archive of files, the same for the same files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()
