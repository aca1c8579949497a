"""Compression and bandwidth between two real engines: both byte counts, a limit that holds, changes while data travels, sharing."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from orchestrator.engine.client import AnswerRefused, Bandwidth, LineSettings, schema
from tests.e2e.conftest import wait_for
from tests.e2e.way import MIB, Joined, Way

WORDS = [random.Random(1).randbytes(5).hex() for _ in range(4000)]


@pytest.fixture(scope="module")
def two(module_engines):
    alpha, beta = module_engines.make("alpha"), module_engines.make("beta", "127.0.0.3")
    module_engines.pair(alpha, beta)
    return alpha, beta


@pytest.fixture
def joined(two, needs, tmp_path) -> Iterator[Joined]:
    needs("fuse")
    made = Joined(*two, tmp_path / "source", tmp_path / "target", Way(two[1]))
    made.capture()
    yield made
    set_line(made)
    made.end()


def set_line(joined: Joined, **settings: object) -> None:
    with joined.alpha.local() as alpha:
        alpha.save_line(LineSettings(address="127.0.0.1", **settings))


def text(size: int) -> bytes:
    chance = random.Random(size)
    return " ".join(chance.choices(WORDS, k=size // 11)).encode()


@pytest.mark.covers("ENG-Q-08", "ENG-CN-07")
def test_mirror_and_replication_are_compressed_and_both_counts_are_told(joined) -> None:
    (joined.source / "text").write_bytes(text(2 * MIB))
    first = joined.connect(compression="maximum")
    assert first.compression == "maximum"
    joined.settled()
    mirrored = joined.status()
    assert mirrored.mirror_bytes_sent > 1.9 * MIB
    assert mirrored.mirror_compressed_bytes_sent < 0.6 * mirrored.mirror_bytes_sent
    (joined.source / "more").write_bytes(text(MIB))
    joined.assert_identical()
    now = joined.status()
    assert now.replication_bytes_sent > 0.9 * MIB
    assert now.replication_compressed_bytes_sent < 0.6 * now.replication_bytes_sent
    assert now.compressed_bytes_sent < now.sent_bytes
    wait_for(lambda: joined.status().last_file == "more", 20)  # told with the target's next word
    assert (now.queue_operations, now.replication_queue_bytes, now.commit_mode) == (0, 0, "Real-time")
    set_line(joined)
    (joined.source / "plain").write_bytes(text(MIB))
    joined.assert_identical()
    plain = joined.status()
    sent = plain.replication_bytes_sent - now.replication_bytes_sent
    assert plain.replication_compressed_bytes_sent - now.replication_compressed_bytes_sent == sent


@pytest.mark.covers("ENG-Q-08")
def test_what_is_compressed_already_is_sent_as_it_is(joined) -> None:
    (joined.source / "picture").write_bytes(random.Random(3).randbytes(2 * MIB))
    joined.connect(compression="medium")
    joined.assert_identical()
    now = joined.status()
    assert now.mirror_compressed_bytes_sent >= 0.99 * now.mirror_bytes_sent > 1.9 * MIB


@pytest.mark.covers("ENG-TX-05", "ENG-Q-08")
def test_a_limit_holds_for_mirror_and_replication_and_is_changed_while_they_run(joined) -> None:
    rate = 2 * MIB
    set_line(joined, bandwidth=Bandwidth(bytes_per_s=rate))
    (joined.source / "data").write_bytes(random.Random(4).randbytes(8 * MIB))
    (joined.source / "data2").write_bytes(b"")
    joined.connect()
    wait_for(lambda: joined.status().mirror_bytes_sent > 0, 20)
    (joined.source / "data2").write_bytes(random.Random(5).randbytes(8 * MIB))
    began_s, before = time.monotonic(), joined.status().sent_bytes
    wait_for(lambda: joined.status().sent_bytes - before > 6 * rate, 60)
    took_s, sent = time.monotonic() - began_s, joined.status().sent_bytes - before
    assert sent <= rate * took_s * 1.02 + 2 * MIB, "one frame is counted when it begins to travel"
    assert joined.status().bandwidth_bytes_s == rate
    set_line(joined)
    joined.assert_identical()


def test_a_percentage_of_a_link_is_told_in_bytes(joined) -> None:
    set_line(joined, bandwidth=Bandwidth(percent=10, link_bits_per_s=1_544_000), compression="low")
    status = joined.connect()
    assert (status.bandwidth_bytes_s, status.compression) == (19_300, "low")
    with joined.alpha.local() as alpha, pytest.raises(AnswerRefused, match="the least is 1024"):
        alpha._send(
            LineSettings,
            "PUT",
            "/v1/lines/127.0.0.1",
            {"address": "127.0.0.1", "bandwidth": {"percent": 0.01, "link_bits_per_s": 9600}},
        )


@pytest.mark.covers("ENG-CN-03", "ENG-Q-08")
def test_a_connection_goes_on_by_other_terms_without_another_mirror(two, joined) -> None:
    (joined.source / "gone").write_text("removed later")
    joined.connect()
    joined.act("pause")
    elsewhere = Way(two[1])
    terms = schema.ConnectionTerms(
        route=schema.Route(address="127.0.0.1", port=elsewhere.port),
        compression="high",
        bandwidth=Bandwidth(bytes_per_s=4 * MIB),
        mode="synchronous",
        ignore_deletes=True,
    )
    with joined.alpha.local() as alpha:
        changed = alpha.change_connection(joined.key, terms)
    assert changed.terms == terms
    words = ["connections", "change", joined.key, "--compression", "maximum", "--state", str(joined.alpha.state)]
    subprocess.run([sys.executable, "-m", "orchestrator.engine.cli.dtengine", *words], check=True, timeout=60)
    assert joined.status().terms == terms.model_copy(update={"compression": "maximum"})
    joined.way.shut()
    wait_for(lambda: joined.status().state == "Paused", 60, "other terms are no end of a pause")
    joined.act("resume")
    joined.settled()
    wait_for(lambda: joined.status().synchrony.state == "synchronous", 60)
    (joined.source / "gone").unlink()
    (joined.source / "text").write_bytes(text(MIB))
    joined.settled()
    now = joined.status()
    assert now.replication_compressed_bytes_sent < 0.6 * now.replication_bytes_sent
    assert (joined.target / "gone").exists()
    assert len(joined.mirrors()) == 1
    elsewhere.close()
