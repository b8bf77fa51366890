"""HTML and SVG elements as text that is escaped by construction: what is not Markup is escaped."""

from __future__ import annotations

import html


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


Child = str | int | float | None


def tag(name: str, /, *children: Child, **attributes: str | int | float | None) -> Markup:
    """Return an element. `class_` gives class, `stroke_width` stroke-width; attributes that are None are left out."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_number(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in ("meta", "br", "hr"):
        return Markup(f"<{name}{given}>")
    return Markup(f"<{name}{given}>{join(*children)}</{name}>")


def join(*children: Child) -> Markup:
    """Return children one after the other, escaped unless they are Markup; None is nothing."""
    return Markup("".join(escape(_number(child)) for child in children if child is not None))


def escape(text: str) -> str:
    """Return `text` fit for element content and quoted attributes; Markup as it is."""
    return text if isinstance(text, Markup) else html.escape(text, quote=True)


def _number(value: Child) -> str:
    if isinstance(value, str):
        return value
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
