"""The journal's lines, torn tails and damage; a run folded from its entries; the guards' order."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.engine.monitor.journal import Entry, Journal, RealAppendFile
from orchestrator.engine.monitor.loop import Act, Snapshot, decide
from orchestrator.engine.monitor.run import Phase, RunState, last_run
from orchestrator.engine.monitor.verdict import Answer, MonitorSettings, Observations, Verdict, judge
from orchestrator.engine.witness.errors import RecordDamaged

BEGIN = {"from_epoch": 1, "graceful": False, "automatic": True, "by": "", "waits_for": ""}


def entry(event: str, phase: str = "", **facts: object) -> Entry:
    return Entry("r1", event, 1, phase, "", dict(facts))


def test_what_was_appended_is_read_again(tmp_path: Path) -> None:
    file = RealAppendFile(tmp_path / "journal")
    journal = Journal(file)
    entries = [entry("begin", **BEGIN), entry("about_to", Phase.GRANT), entry("done", Phase.GRANT, epoch=2)]
    for one in entries:
        journal.append(one)
    assert Journal(file).entries == tuple(entries)
    assert (tmp_path / "journal").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_torn_tail_is_ignored_and_overwritten(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "journal"
    journal = Journal(RealAppendFile(path))
    journal.append(entry("begin", **BEGIN))
    journal.append(entry("about_to", Phase.GRANT))
    path.write_bytes(path.read_bytes()[:-cut])
    again = Journal(RealAppendFile(path))
    assert [one.event for one in again.entries] == ["begin"]
    again.append(entry("refused", Phase.GRANT))
    assert [one.event for one in Journal(RealAppendFile(path)).entries] == ["begin", "refused"]


def test_damage_in_the_middle_is_not_guessed_over(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal(RealAppendFile(path))
    journal.append(entry("begin", **BEGIN))
    journal.append(entry("about_to", Phase.GRANT))
    content = bytearray(path.read_bytes())
    content[30] ^= 1
    path.write_bytes(content)
    with pytest.raises(RecordDamaged, match="at byte 0"):
        Journal(RealAppendFile(path))


def folded(*entries: Entry) -> RunState:
    state = last_run([entry("begin", **BEGIN), *entries])
    assert state is not None
    return state


def test_a_run_knows_what_comes_next_and_what_is_in_doubt() -> None:
    assert folded().next_phase is Phase.GRANT
    asked = folded(entry("about_to", Phase.GRANT))
    assert (asked.in_doubt, asked.may_have_asked) == (Phase.GRANT, True)
    assert not folded(entry("about_to", Phase.GRANT), entry("refused", Phase.GRANT)).may_have_asked
    granted = folded(entry("about_to", Phase.GRANT), entry("done", Phase.GRANT, epoch=2))
    assert (granted.epoch, granted.next_phase, granted.next_undo) == (2, Phase.REFUSE_SOURCE, Phase.GRANT)


def test_an_entry_written_twice_changes_nothing() -> None:
    done = entry("done", Phase.GRANT, epoch=2)
    assert folded(entry("about_to", Phase.GRANT), done, done) == folded(entry("about_to", Phase.GRANT), done)


def verdict(*answers: bool) -> Verdict:
    settings = MonitorSettings(("a",), missed=2)
    judged: Verdict | None = None
    for answered in answers:
        judged = judge(Observations((Answer("a", "udp", answered),)), judged, settings, 0.0)
    assert judged is not None
    return judged


ALIVE, SILENT = verdict(True), verdict(False, False)
OPEN, ASKED = folded(), folded(entry("about_to", Phase.GRANT))
REFUSED = folded(entry("end", how="refused"))
DONE = folded(entry("done", Phase.GRANT, epoch=2), entry("end", how="done"))


@pytest.mark.parametrize(
    ("snapshot", "act", "rule"),
    [
        (Snapshot(True, 1, ALIVE, None, True), Act.NOTHING, "source-not-failed"),
        (Snapshot(True, 1, SILENT, None, True), Act.BEGIN, "source-failed"),
        (Snapshot(False, 1, SILENT, None, True), Act.NOTHING, "monitoring-disabled"),
        (Snapshot(True, 1, SILENT, OPEN, True), Act.ADVANCE, "failover-under-way"),
        (Snapshot(False, 1, SILENT, OPEN, True), Act.ADVANCE, "failover-under-way"),
        (Snapshot(True, 1, ALIVE, OPEN, True), Act.CANCEL, "source-answers-again"),
        (Snapshot(True, 1, ALIVE, ASKED, True), Act.ADVANCE, "failover-under-way"),
        (Snapshot(True, 1, SILENT, REFUSED, False), Act.NOTHING, "dealt-with"),
        (Snapshot(True, 1, SILENT, REFUSED, True), Act.BEGIN, "source-failed"),
        (Snapshot(True, 2, SILENT, DONE, True), Act.NOTHING, "failed-over"),
        (Snapshot(True, 3, SILENT, DONE, True), Act.BEGIN, "source-failed"),
    ],
)
@pytest.mark.covers("AM-28")
def test_the_guards_answer_in_order(snapshot: Snapshot, act: Act, rule: str) -> None:
    choice = decide(snapshot)
    assert (choice.act, choice.rule) == (act, rule)
    assert choice.says
