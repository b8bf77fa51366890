"""What is written to a disk before anything is measured on it; devices are in tests/host."""

from __future__ import annotations

from pathlib import Path

from primetime.host.rawdisk import CHUNK, OVERWRITE, exclusive, overwrite_randomly, write_fully

SIZE = CHUNK + 2 * OVERWRITE


def test_a_file_is_filled_and_then_overwritten_as_a_whole(tmp_path: Path) -> None:
    file = tmp_path / "disk"
    file.write_bytes(bytes(2 * SIZE))
    write_fully(file, SIZE)
    filled = file.read_bytes()
    assert len(filled) == SIZE
    assert overwrite_randomly(file, SIZE) == SIZE
    again = file.read_bytes()
    assert len(again) == SIZE
    pieces = [slice(at, at + OVERWRITE) for at in range(0, SIZE, OVERWRITE)]
    assert all(any(filled[piece]) and filled[piece] != again[piece] for piece in pieces)


def test_a_file_cannot_be_claimed(tmp_path: Path) -> None:
    assert exclusive(tmp_path) == 0
