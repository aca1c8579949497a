"""The book's memory: what a failed write, a restart and damage leave."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.engine.witness.book import Book
from orchestrator.engine.witness.errors import RecordDamaged
from orchestrator.engine.witness.store import BOOK, DirectoryShelf, Store
from orchestrator.engine.witness.wire import GrantRequest, LeaseRequest, RegisterRequest, ReleaseRequest


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class FailingShelf(DirectoryShelf):
    """A shelf whose next replacement fails after it was made."""

    fails = False

    def replace(self, name: str, content: bytes) -> None:
        super().replace(name, content)
        if self.fails:
            self.fails = False
            raise OSError(5, "Input/output error")


def test_after_a_write_that_failed_the_disk_is_believed_and_not_the_memory(tmp_path: Path) -> None:
    clock, shelf = Clock(), FailingShelf(tmp_path)
    book = Book(Store(shelf), clock)
    book.register("shop", RegisterRequest(1, "alpha", 10))
    clock.now_s = 20
    shelf.fails = True
    with pytest.raises(OSError, match="Input/output"):
        book.grant("shop", GrantRequest(1, "beta"))
    assert not book.renew("shop", LeaseRequest(1, "alpha", 10)).granted, "the grant may stand on the disk: it does"
    assert book.grant("shop", GrantRequest(1, "beta")).granted


def test_a_restarted_witness_knows_all_but_how_long_leases_still_run(tmp_path: Path) -> None:
    clock = Clock()
    Book(Store(DirectoryShelf(tmp_path)), clock).register("shop", RegisterRequest(1, "alpha", 10))
    clock.now_s = 1000
    book = Book(Store(DirectoryShelf(tmp_path)), clock)
    assert book.grant("shop", GrantRequest(1, "beta")).retry_after_s == 10
    view = book.look("shop")
    assert view is not None
    assert (view.expires_in_s, view.renewed_ago_s) == (10, None)
    assert book.release("shop", ReleaseRequest(1, "alpha")).granted
    assert [known.lease for known in book.all()] == ["released"]


@pytest.mark.parametrize("damage", [b"", b"nonsense", b"0123456789abcdef\n[]"])
def test_a_damaged_book_answers_nobody(tmp_path: Path, damage: bytes) -> None:
    shelf = DirectoryShelf(tmp_path)
    Book(Store(shelf), Clock()).register("shop", RegisterRequest(1, "alpha", 10))
    shelf.replace(BOOK, damage)
    with pytest.raises(RecordDamaged, match="checksum"):
        Book(Store(shelf), Clock())


def test_records_are_for_their_owner_only(tmp_path: Path) -> None:
    shelf = DirectoryShelf(tmp_path / "state")
    Store(shelf).save({})
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "state" / BOOK).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "state").iterdir()] == [BOOK]
