"""The status: names of fields are a contract; engines' ids become names; old facts are told as old."""

from __future__ import annotations

import pytest

from orchestrator.cli.overview import Shown, lines, with_names


def status(**given: object) -> dict[str, object]:
    side = {"server": "alpha", "answers": True, "silence": "", "fenced": True, "fence_reason": "lost", "services": []}
    values: dict[str, object] = {
        "protection": "p", "name": "files.example.com", "stage": "failed_over", "epoch": 2, "condition": "failed_over",
        "says": "beta serves", "next": "dtam failback", "source": side, "target": {**side, "answers": False, "silence": "gone"},
        "connection": None, "restoring": None, "last_error": "", "snapshots": {"kept": "", "set_back_to": ""}, "facts_age_s": 90_000.0, "facts_too_old": True,
        "monitor": {"enabled": True, "colour": "red", "time_to_fail_s": 0.0, "says": "silent"},
        "unfinished_runs": [{"run": "r", "kind": "failback", "says": "cut off at settle"}],
    }  # fmt: skip
    return {**values, **given}


def test_everything_that_matters_has_a_line() -> None:
    told = dict(lines(status(), Shown()))
    assert told["condition"] == "failed over: beta serves"
    assert told["source"] == "alpha: no service, fenced: lost"
    assert told["target"] == "alpha: silent (gone)"
    assert told["monitor"] == "red, 0.0 s to fail: silent"
    assert told["gathered facts"] == "25.0 h old — older than the limit: dtam discover"
    assert told["unfinished"] == "failback r: cut off at settle"
    assert "last error" not in told


@pytest.mark.covers("AM-14")
def test_each_value_of_the_monitor_has_its_line_and_its_field() -> None:
    moving = {
        "state": "Started", "target_data_state": "good", "mirror_state": "Mirroring", "mirror_bytes_sent": 1,
        "transmit_state": "Paused", "target_state": "Online",
        "mirror_bytes_total": 2, "mirror_percent": 50.0, "replication_state": "Replicating",
        "replication_bytes_sent": 10, "replication_queue_bytes": 3, "lag_s": 1.25,
    }  # fmt: skip
    seen = status(connection=moving, last_error="disk full", condition="mirroring")
    told = dict(lines(seen, Shown(in_bytes=True)))
    assert told["condition"].startswith("mirroring"), "protection status"
    assert told["connection"] == "Started, transmission paused, target online, target data good"
    assert told["mirror"] == "Mirroring, 1 bytes sent of 2 bytes (50 %)"
    assert told["replication"] == "Replicating, 10 bytes sent, 3 bytes queued, 1.2 s behind"
    assert told["monitor"].startswith("red, 0.0 s to fail"), "time to fail"
    assert told["last error"] == "disk full"


@pytest.mark.covers("AM-17")
def test_without_details_only_what_counts_is_shown() -> None:
    short = dict(lines(status(last_error="disk full"), Shown(details=False)))
    assert list(short) == ["protection", "condition", "monitor", "last error", "unfinished", "next"]


def test_what_is_kept_beside_the_replica_is_told() -> None:
    kept = dict(lines(status(snapshots={"kept": "S1", "set_back_to": ""}), Shown()))
    back = dict(lines(status(snapshots={"kept": "S1", "set_back_to": "S2"}), Shown()))
    assert kept["snapshots"] == "S1 holds the last good state while a mirror overwrites it"
    assert "dtam snapshots resume" in back["snapshots"]


def test_amounts_in_bytes_or_in_units() -> None:
    moving = {
        "state": "Started", "target_data_state": "good", "mirror_state": "Idle", "mirror_bytes_sent": 2_500_000,
        "mirror_bytes_total": 5_000_000, "mirror_percent": 50.0, "replication_state": "Replicating",
        "replication_bytes_sent": 10, "replication_queue_bytes": 3_000_000_000, "lag_s": 1.25,
    }  # fmt: skip
    plain = dict(lines(status(connection=moving), Shown(in_bytes=True)))
    units = dict(lines(status(connection=moving), Shown()))
    assert plain["mirror"] == "Idle, 2500000 bytes sent of 5000000 bytes (50 %)"
    assert units["mirror"] == "Idle, 2.5 MB sent of 5.0 MB (50 %)"
    assert "3.0 GB queued, 1.2 s behind" in units["replication"]


@pytest.mark.covers("ENG-SYNC-01")
def test_a_synchronous_connection_says_whether_a_flush_is_at_the_target() -> None:
    since = {"since": "2026-01-02T03:04:05+00:00", "flushes": 7, "mean_wait_ms": 1.25}
    moving = {
        "state": "Started", "target_data_state": "good", "mirror_state": "Idle", "mirror_bytes_sent": 0,
        "mirror_bytes_total": None, "mirror_percent": None, "replication_state": "Ready",
        "replication_bytes_sent": 10, "replication_queue_bytes": 0, "lag_s": 0.0,
    }  # fmt: skip

    def told(state: str, why: str) -> str:
        connection = {**moving, "synchrony": {**since, "state": state, "why": why}}
        return dict(lines(status(connection=connection), Shown()))["flushes"]

    assert told("synchronous", "it caught up").startswith("synchronous: an answered flush is at the target since 2026")
    assert told("asynchronous", "the target is late").startswith(
        "BEHIND: asynchronous since 2026-01-02T03:04:05+00:00 (the t"
    )
    assert told("waiting", "late").endswith("(late); 7 flushes waited 1.2 ms on average")


def test_engine_ids_become_names() -> None:
    said = with_names({"says": ["aaaa owns epoch 2; bbbb asked"], "n": 1}, {"aaaa": "beta", "bbbb": "alpha"})
    assert said == {"says": ["beta owns epoch 2; alpha asked"], "n": 1}
