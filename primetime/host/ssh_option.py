"""Values of ssh's options, as its configuration reads them."""

from __future__ import annotations


def quoted(path: str) -> str:
    """A path as ssh's configuration takes it: in quotes, and a % is no token."""
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'
