"""Tables of meters, in a study file ([meter.NAME]) and in a fleet file ([meters.NAME])."""

from __future__ import annotations

from primetime.errors import UserError
from primetime.instruments.power import kinds, meter
from primetime.model import MeterSpec
from primetime.model.toml_table import NAME, TomlTable


def read_meters(table: TomlTable) -> tuple[MeterSpec, ...]:
    """Every meter, checked by its own kind. UserError."""
    found = []
    for name in table.keys():
        if not NAME.fullmatch(name):
            raise table.mistake(name, "a name may hold letters, digits, '.', '_' and '-', at most 40", "rename it")
        own = table.table(name)
        spec = MeterSpec(name, own.word("kind", name), own.rest())
        if spec.kind not in kinds():
            raise own.mistake("kind", f"unknown kind of meter {spec.kind!r}", f"known kinds: {', '.join(kinds())}")
        try:
            meter(spec)
        except UserError as error:
            words = error.message.removeprefix(f"meter.{name}")  # as it is called in a study file
            raise UserError(f"{table.file}: {own.path}{words}", error.hint) from None
        found.append(spec)
    return tuple(found)
