"""The arbiter's rules, one by one."""

from __future__ import annotations

from orchestrator.engine.witness import rules
from orchestrator.engine.witness.rules import Grip, LeaseKind


def registered(now_s: float = 0.0, lease_s: float = 10.0) -> Grip:
    ruling = rules.register(None, protection="shop", epoch=1, holder="alpha", lease_s=lease_s, now_s=now_s)
    assert ruling.store
    assert ruling.grip is not None
    return ruling.grip


def ask(grip: Grip | None, now_s: float, **facts: object) -> rules.Ruling:
    given = {"from_epoch": 1, "candidate": "beta", "time_ns": 0, **facts}
    return rules.grant(grip, now_s=now_s, **given)


def test_nothing_is_granted_while_the_lease_runs() -> None:
    ruling = ask(registered(), 9.9)
    assert not ruling.answer.granted
    assert 0 < ruling.answer.retry_after_s <= 0.11
    assert not ruling.store


def test_the_next_epoch_is_granted_when_the_lease_has_run_out_and_is_stored_first() -> None:
    ruling = ask(registered(), 10.0)
    assert ruling.answer == rules.GrantAnswer(True, 2)
    assert ruling.store
    assert (ruling.grip.record.epoch, ruling.grip.record.holder, ruling.grip.record.kind) == (2, "beta", LeaseKind.HELD)


def test_the_winner_is_told_again_and_everybody_else_is_not() -> None:
    grip = ask(registered(), 10.0).grip
    assert ask(grip, 11.0).answer.granted
    late = ask(grip, 11.0, candidate="gamma").answer
    assert (late.granted, late.epoch) == (False, 2)
    held = ask(grip, 1e9, from_epoch=2, candidate="gamma").answer
    assert not held.granted
    assert "until it gives it back" in held.reason


def test_an_older_epoch_is_refused_everywhere() -> None:
    grip = ask(registered(), 10.0).grip
    for ruling in (
        rules.renew(grip, epoch=1, holder="alpha", lease_s=10, now_s=11),
        rules.register(grip, protection="shop", epoch=1, holder="alpha", lease_s=10, now_s=11),
        rules.release(grip, epoch=1, holder="alpha"),
    ):
        assert (ruling.answer.granted, ruling.answer.epoch, ruling.grip) == (False, 2, grip)


def test_a_renewal_is_not_written_down_unless_it_is_longer_than_any_before() -> None:
    short = rules.renew(registered(), epoch=1, holder="alpha", lease_s=5, now_s=8)
    assert not short.store
    assert short.grip.until_s == 13
    assert rules.renew(registered(), epoch=1, holder="alpha", lease_s=1, now_s=1).grip.until_s == 10, "never shortened"
    assert rules.renew(registered(), epoch=1, holder="alpha", lease_s=20, now_s=8).store


def test_after_a_restart_the_longest_lease_runs_in_full() -> None:
    longest = rules.renew(registered(), epoch=1, holder="alpha", lease_s=20, now_s=1).grip.record
    woken = rules.wake(longest, 100.0)
    assert not ask(woken, 119.9).answer.granted
    assert ask(woken, 120.0).answer.granted


def test_what_was_given_back_is_granted_at_once_and_not_renewed() -> None:
    released = rules.release(registered(), epoch=1, holder="alpha")
    assert released.store
    assert not rules.renew(released.grip, epoch=1, holder="alpha", lease_s=10, now_s=1).answer.granted
    assert ask(released.grip, 0.1).answer.granted
    again = rules.register(released.grip, protection="shop", epoch=1, holder="alpha", lease_s=10, now_s=1)
    assert again.answer.granted
    assert not ask(again.grip, 2.0).answer.granted


def test_a_forced_grant_goes_over_a_lease_and_is_remembered_with_who() -> None:
    ruling = ask(registered(), 1.0, forced=True, by="anna", time_ns=7)
    assert ruling.answer.granted
    assert ruling.grip.record.forced == (rules.Forced("anna", 7, 1, "beta"),)


def test_a_grant_with_a_lease_is_timed_for_a_failback() -> None:
    grip = ask(registered(), 10.0, lease_s=3.0).grip
    assert grip.record.kind is LeaseKind.TIMED
    assert ask(grip, 12.9, from_epoch=2, candidate="gamma").answer.retry_after_s > 0
    assert ask(grip, 13.0, from_epoch=2, candidate="gamma").answer.granted


def test_what_is_not_known_is_neither_granted_nor_renewed() -> None:
    assert ask(None, 0.0).grip is None
    assert not rules.renew(None, epoch=1, holder="alpha", lease_s=1, now_s=0).answer.granted
    assert not rules.release(None, epoch=1, holder="alpha").answer.granted


def test_ids_and_lengths_are_held_to_limits() -> None:
    assert rules.is_valid_id("file-print.alpha_1")
    assert not any(map(rules.is_valid_id, ("", "../x", "a b", "-x", "x" * 129)))
    assert rules.is_valid_lease(0.5)
    assert not any(map(rules.is_valid_lease, (0.0, -1.0, float("inf"), float("nan"), 1e9)))


def test_a_timed_epoch_goes_on_to_the_target_that_was_named_and_to_no_other() -> None:
    named = rules.register(None, protection="p", epoch=1, holder="alpha", lease_s=10, now_s=0, target="beta").grip
    refused = rules.grant(named, from_epoch=1, candidate="gamma", now_s=11, time_ns=0)
    assert (refused.answer.granted, refused.answer.retry_after_s) == (False, 0)
    assert "the promises of beta" in refused.answer.reason
    assert rules.grant(named, from_epoch=1, candidate="beta", now_s=11, time_ns=0).answer.granted
    assert rules.grant(
        named, from_epoch=1, candidate="gamma", now_s=11, time_ns=0, forced=True, by="anna"
    ).answer.granted
    renewed = rules.renew(named, epoch=1, holder="alpha", lease_s=10, now_s=5).grip
    assert renewed.record.target == "beta", "a renewal changes nothing"


def test_another_target_is_named_on_the_disk_and_a_released_epoch_is_anybodys() -> None:
    named = rules.register(None, protection="p", epoch=1, holder="alpha", lease_s=10, now_s=0, target="beta").grip
    other = rules.register(named, protection="p", epoch=1, holder="alpha", lease_s=10, now_s=5, target="gamma")
    assert (other.store, other.grip.record.target) == (True, "gamma")
    assert not rules.grant(other.grip, from_epoch=1, candidate="beta", now_s=16, time_ns=0).answer.granted
    released = rules.release(named, epoch=1, holder="alpha").grip
    assert rules.grant(released, from_epoch=1, candidate="gamma", now_s=5, time_ns=0).answer.granted
