"""What the application's journal promises, and what the checks say of what is there."""

from __future__ import annotations

from pathlib import Path

from tests.lab.sqljournal import Acknowledged, Promised, missing, wrong


def test_a_journal_is_read_as_far_as_it_was_written(tmp_path: Path):
    journal = tmp_path / "journal"
    journal.write_text("1 1 1 100\n2 1 1 110\n# lost 1 150\n1 2 2 200\n1 3")
    promised = Promised.read(journal)
    assert promised.rows == (Acknowledged(1, 1, 1, 100), Acknowledged(2, 1, 1, 110), Acknowledged(1, 2, 2, 200))
    assert promised.lost_ns == (150,)
    assert [one.number for one in promised.until(110)] == [1, 1]
    assert promised.after(110) == (Acknowledged(1, 2, 2, 200),)


def test_a_row_of_another_life_is_not_the_one_that_was_promised():
    promised = [Acknowledged(1, 1, 1, 1), Acknowledged(1, 2, 1, 2)]
    assert missing(promised, [(1, 1, 1), (1, 2, 2)]) == promised[1:]
    assert missing(promised, [(1, 1, 1), (1, 2, 1)]) == []


def test_what_whole_transactions_cannot_have_left():
    assert wrong([(1, 1, 1), (1, 2, 1), (2, 1, 1)], [(1, 2), (2, 1)]) == []
    assert wrong([(1, 1, 1), (1, 3, 1)], [(1, 2)]) == ["writer 1 has holes among 2 rows"]
    assert wrong([(1, 1, 2), (1, 2, 1)], [(1, 2)]) == ["writer 1: an earlier life wrote after a later one"]
    assert wrong([(1, 1, 1)], [(1, 2)]) == ["writer 1: its total is 2, its rows are 1"]
    assert wrong([(3, 1, 1)], []) == ["writer 3 has rows and no total"]
