"""The bandwidth limit: exact over any stretch of time, for any pieces, with any number of senders, across changes."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.engine.transfer.compression import Level
from orchestrator.engine.transfer.line import Line
from orchestrator.engine.transfer.pacing import BURST_S, TokenBucket

RATES = st.floats(min_value=2_000, max_value=5e7)


def sent_in(bucket: TokenBucket, span_s: float, pieces: list[int], start_s: float = 0.0) -> int:
    """What gets through within so long when there is always more to send; the pieces over and over again."""
    now_s, total, number = start_s, 0, 0
    while now_s < start_s + span_s:
        owed_s = bucket.wait_s(now_s)
        if owed_s:
            now_s += owed_s * (1 + 1e-9)
            continue
        size = min(pieces[number % len(pieces)], bucket.piece_bytes() or 1 << 30)
        bucket.take(size, now_s)
        total, number = total + size, number + 1
    return total


@pytest.mark.covers("ENG-TX-05")
@settings(max_examples=30, deadline=None)
@given(rate=RATES, shares=st.lists(st.floats(0.2, 20), min_size=1, max_size=6))
def test_ten_seconds_hold_the_rate_to_two_percent(rate: float, shares: list[float]) -> None:
    bucket = TokenBucket(rate, 0.0)
    sent = sent_in(bucket, 10.0, [int(share * (bucket.piece_bytes() or 0)) for share in shares])
    assert 0.98 * rate * 10 <= sent <= 1.02 * rate * 10 + 1024


@settings(max_examples=30, deadline=None)
@given(rate=RATES, idle_s=st.floats(0, 1e6))
def test_what_was_not_used_is_not_saved_up(rate: float, idle_s: float) -> None:
    bucket = TokenBucket(rate, 0.0)
    sent = sent_in(bucket, 1.0, [1 << 20], start_s=idle_s)
    assert sent <= rate * (1 + BURST_S) + 2 * (bucket.piece_bytes() or 0)


def test_another_rate_counts_at_once_and_no_limit_sends_everything() -> None:
    bucket = TokenBucket(1000.0, 0.0)
    bucket.take(50_000, 0.0)
    assert bucket.wait_s(0.0) == pytest.approx(50.0)
    bucket.set_rate(1e6, 1.0)
    assert sent_in(bucket, 1.0, [1 << 20], start_s=1.0) == pytest.approx(1e6, rel=0.1)
    bucket.set_rate(None, 2.0)
    assert (bucket.wait_s(2.0), bucket.piece_bytes()) == (0.0, None)


def test_a_clock_that_steps_back_neither_gives_nor_takes() -> None:
    bucket = TokenBucket(1000.0, 100.0)
    bucket.take(500, 100.0)
    assert bucket.wait_s(50.0) == pytest.approx(0.5)
    assert bucket.wait_s(100.25) == pytest.approx(0.25)


class Clock:
    """Time that passes only by waiting."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def wait(self, seconds: float) -> bool:
        self.now_s += seconds
        return False


@pytest.mark.covers("ENG-TX-05")
def test_connections_to_one_address_share_the_limit() -> None:
    clock, sent = Clock(), []
    line = Line(clock)
    line.set(Level.OFF, 100_000)
    chance = random.Random(1)
    while clock.now_s < 10:
        frame = (b"h" * 32, bytes(chance.randrange(100_000)))
        line.send(frame, lambda parts: sent.append(sum(map(len, parts))), clock.wait)
    assert sum(sent) == pytest.approx(100_000 * clock.now_s, rel=0.02)
    assert max(sent) <= 100_000 * BURST_S


def test_a_frame_whose_connection_ends_is_not_cut_in_two() -> None:
    line, sent = Line(Clock()), []
    line.set(Level.MAXIMUM, 1000)
    line.send((b"x" * 50_000,), lambda parts: sent.extend(bytes(part) for part in parts), lambda _s: True)
    assert b"".join(sent) == b"x" * 50_000
