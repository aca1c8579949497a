"""The kept disks of the lab: what comes back is what was kept, and whatever cannot be trusted is made again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab import cache
from tests.lab.keeper import ROOM, Keeper


@pytest.fixture
def keeper(needs: Callable[[str], None]) -> Iterator[Keeper]:
    needs("lab")
    made = Keeper()
    yield made
    made.close()


@pytest.fixture
def kept(keeper: Keeper, tmp_path: Path) -> cache.Store:
    disk = keeper.seen(ROOM) / "alpha/upper"
    disk.mkdir(parents=True)
    (disk / "secret").write_text("kept")
    (disk / "secret").chmod(0o600)
    os.setxattr(disk / "secret", "security.NTACL", b"rights")
    os.mknod(disk / "removed", 0o020000, 0)  # how an overlay says that a file below is gone
    store = cache.Store(tmp_path, "key")
    store.keep(keeper)
    keeper.run(["rm", "-r", f"{ROOM}/alpha"])
    return store


def test_what_was_kept_comes_back_with_rights_and_what_was_removed(keeper: Keeper, kept: cache.Store) -> None:
    assert kept.lay_out(keeper)
    disk = keeper.seen(ROOM) / "alpha/upper"
    assert (disk / "secret").read_text() == "kept"
    assert (disk / "secret").stat().st_mode & 0o777 == 0o600
    assert os.getxattr(disk / "secret", "security.NTACL") == b"rights"
    assert (disk / "removed").is_char_device()
    assert kept.path.stat().st_mode & 0o777 == 0o600


def _flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-512])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _old(path: Path) -> None:
    os.utime(path, (1, 1))


def _missing(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("spoil", [_flipped, _torn, _empty, _old, _missing])
def test_what_cannot_be_trusted_is_not_laid_out(
    keeper: Keeper, kept: cache.Store, spoil: Callable[[Path], None]
) -> None:
    spoil(kept.path)
    assert not kept.lay_out(keeper)
    assert not list(keeper.seen(ROOM).iterdir())


def test_only_the_newest_are_kept_and_nothing_half_written(keeper: Keeper, kept: cache.Store) -> None:
    for number in range(4):
        cache.Store(kept.directory, str(number)).keep(keeper)
    assert len(list(kept.directory.iterdir())) == cache.KEPT


def test_a_directory_that_others_may_write_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "DIRECTORY", tmp_path / "open")
    (tmp_path / "open").mkdir(0o777)
    (tmp_path / "open").chmod(0o777)
    assert not cache._directory_is_ours()
    monkeypatch.setattr(cache, "DIRECTORY", tmp_path / "link")
    (tmp_path / "own").mkdir(0o700)
    (tmp_path / "link").symlink_to(tmp_path / "own")
    assert not cache._directory_is_ours()
    monkeypatch.setattr(cache, "DIRECTORY", tmp_path / "own")
    assert cache._directory_is_ours()
