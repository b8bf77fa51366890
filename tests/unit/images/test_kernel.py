"""A user's own kernel."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from primetime.errors import UserError
from primetime.images.cache import Cache, file_hash
from primetime.images.kernel import GUEST_NEEDS, guest_kernel, serves_as_guest

IMAGE = b"junk Linux version 6.6.1-mine (gcc) #1 SMP"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "boot/vmlinuz-6.6.1-mine"
    path.parent.mkdir()
    path.write_bytes(IMAGE)
    return path


def test_it_is_copied_and_hashed(tmp_path: Path, image: Path) -> None:
    kernel = guest_kernel(Cache(tmp_path / "cache"), "amd64", str(image))
    assert (kernel.version, kernel.package, kernel.elf, kernel.modules) == ("6.6.1-mine", str(image), None, None)
    assert kernel.sha256 == file_hash(image)
    assert kernel.image.read_bytes() == IMAGE


def test_modules_beside_it_and_its_config_come_along(tmp_path: Path, image: Path) -> None:
    modules = tmp_path / "lib/modules/6.6.1-mine"
    modules.mkdir(parents=True)
    (modules / "modules.builtin").write_text("kernel/fs/ext4/ext4.ko\n")
    (image.parent / "config-6.6.1-mine").write_text("CONFIG_EXT4_FS=y\n")
    kernel = guest_kernel(Cache(tmp_path / "cache"), "amd64", str(image))
    assert kernel.modules is not None
    assert (kernel.modules / "modules.builtin").exists()
    assert kernel.config is not None


def test_another_content_is_another_kernel(tmp_path: Path, image: Path) -> None:
    cache = Cache(tmp_path / "cache")
    first = guest_kernel(cache, "amd64", str(image))
    image.write_bytes(IMAGE + b" rebuilt")
    assert guest_kernel(cache, "amd64", str(image)).image != first.image
    assert first.image.read_bytes() == IMAGE


@pytest.mark.parametrize("content", [None, b"", b"[]", b"{}", b"\xff", b'{"version": 6}', b"[" * 100_000])
def test_a_damaged_entry_says_what_to_remove(tmp_path: Path, image: Path, content: bytes | None) -> None:
    cache = Cache(tmp_path / "my cache")
    entry = guest_kernel(cache, "amd64", str(image)).image.parent
    (entry / "about.json").unlink()
    if content is not None:
        (entry / "about.json").write_bytes(content)
    with pytest.raises(UserError, match="is damaged") as error:
        guest_kernel(cache, "amd64", str(image))
    assert error.value.hint == f"rm -r '{entry}'"
    shutil.rmtree(entry)
    guest_kernel(cache, "amd64", str(image))


def test_a_kernel_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        guest_kernel(Cache(tmp_path), "amd64", str(tmp_path / "none"))


def test_a_host_without_its_own_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("primetime.images.kernel.BOOT", tmp_path)
    monkeypatch.setattr("primetime.images.kernel.MODULES", tmp_path)
    with pytest.raises(UserError) as caught:
        guest_kernel(Cache(tmp_path / "cache"), "amd64", "host")
    assert "Debian's own" in caught.value.hint


@pytest.mark.parametrize("lacking", [None, "VIRTIO_BLK", "image", "modules"])
def test_a_hosts_own_kernel_serves_as_guest_only_with_every_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacking: str | None
) -> None:
    monkeypatch.setattr("primetime.images.kernel.BOOT", tmp_path / "boot")
    monkeypatch.setattr("primetime.images.kernel.MODULES", tmp_path / "modules")
    (tmp_path / "boot").mkdir()
    (tmp_path / "modules" / ("other" if lacking == "modules" else "6.6.1")).mkdir(parents=True)
    (tmp_path / "boot" / ("other" if lacking == "image" else "vmlinuz-6.6.1")).write_bytes(IMAGE)
    options = [f"CONFIG_{name}={'ym'[number % 2]}" for number, name in enumerate(GUEST_NEEDS) if name != lacking]
    (tmp_path / "boot/config-6.6.1").write_text("\n".join(options))
    assert serves_as_guest("6.6.1") is (lacking is None)
