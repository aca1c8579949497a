"""What strangers can make the journal say, and what they cannot."""

from __future__ import annotations

from orchestrator.engine.control.events import Events
from orchestrator.engine.control.refusals import PATH_MAX, TOLD_MAX, WITHIN_S, Refusals


def test_a_flood_of_refusals_drives_nothing_out_of_the_journal(tmp_path):
    clock = [0.0]
    events = Events(tmp_path / "events.jsonl")
    events.tell("failover", "what matters")
    refusals = Refusals(events, lambda: clock[0])
    for _ in range(5000):
        refusals.tell("GET", "/v1/status", "no token", "192.0.2.1:1")
    clock[0] = WITHIN_S
    refusals.tell("GET", "/v1/status", "no token", "192.0.2.1:1")
    said = [one.sentence for one in events.after(0)]
    events.close()
    assert said[0] == "what matters"
    assert len(said) == 1 + TOLD_MAX + 2
    assert said[-2:] == [
        f"{5000 - TOLD_MAX} more requests were refused, after the {TOLD_MAX} that are told",
        "GET /v1/status: no token",
    ]


def test_a_path_of_a_stranger_is_cut_and_moves_no_cursor(tmp_path):
    events = Events(tmp_path / "events.jsonl")
    Refusals(events).tell("GET", "/\x1b[2J\n" + "x" * 60000, "no token", "192.0.2.1:1")
    sentence = events.after(0)[0].sentence
    events.close()
    assert sentence.startswith("GET /?[2J?xxx")
    assert sentence.isprintable()
    assert len(sentence) < PATH_MAX + 30
