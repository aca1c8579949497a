"""Probes over real loopback sockets."""

from __future__ import annotations

import asyncio
import socket

import pytest

from orchestrator.engine.monitor.probes import (
    ALIVE_MAGIC,
    PROBE_MAGIC,
    ProbeResponder,
    Rounds,
    ask_icmp,
    ask_udp,
    asking,
)
from orchestrator.engine.monitor.verdict import Answer, Method, MonitorSettings, Pace

ENGINE = b"0123456789abcdef"


def test_the_right_engine_answers_and_another_does_not_count() -> None:
    async def story() -> None:
        responder = ProbeResponder(ENGINE)
        port = await responder.start("127.0.0.1", 0)
        assert (await ask_udp("127.0.0.1", port, 2.0, ENGINE)).answered
        stranger = await ask_udp("127.0.0.1", port, 0.2, b"f" * 16)
        assert (stranger.answered, stranger.says) == (False, "no answer")
        responder.close()
        assert not (await ask_udp("127.0.0.1", port, 0.2)).answered

    asyncio.run(story())


def test_a_wrong_magic_or_length_gets_nothing() -> None:
    async def story() -> None:
        responder = ProbeResponder(ENGINE)
        port = await responder.start("127.0.0.1", 0)
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.connect(("127.0.0.1", port))
            for question in (b"", b"x" * 24, PROBE_MAGIC, PROBE_MAGIC + b"y" * 17):
                await loop.sock_sendall(sock, question)
            await loop.sock_sendall(sock, PROBE_MAGIC + b"z" * 16)
            assert await loop.sock_recv(sock, 100) == ALIVE_MAGIC + b"z" * 16 + ENGINE, (
                "the first answer is to the last"
            )
        responder.close()

    asyncio.run(story())


def test_an_echo_comes_back_where_the_kernel_lets_us_ask() -> None:
    answer = asyncio.run(ask_icmp("127.0.0.1", 2.0))
    if "may not send" in answer.says:
        pytest.skip("neither root nor net.ipv4.ping_group_range allows an echo here")
    assert answer.answered


def test_a_round_asks_every_address_by_every_method_at_once() -> None:
    async def story() -> None:
        responder = ProbeResponder(ENGINE)
        port = await responder.start("127.0.0.1", 0)
        settings = MonitorSettings(("127.0.0.1", "127.0.0.3"), method="both", interval_s=0.5)
        answers = await Rounds().ask(settings, asking(port, ENGINE))
        assert [(answer.address, answer.method) for answer in answers] == [
            ("127.0.0.1", "udp"),
            ("127.0.0.1", "icmp"),
            ("127.0.0.3", "udp"),
            ("127.0.0.3", "icmp"),
        ]
        responder.close()

    asyncio.run(story())


def test_a_slow_address_is_asked_at_its_own_pace_and_holds_up_no_other() -> None:
    async def story() -> None:
        asked: list[tuple[str, float]] = []
        answers = asyncio.Event()

        async def ask(address: str, method: Method, timeout_s: float) -> Answer:
            asked.append((address, timeout_s))
            if address == "slow":
                await answers.wait()
            return Answer(address, method, answered=True)

        settings = MonitorSettings(("quick", "slow"), interval_s=0.01, own={"slow": Pace(3600.0, 3)})
        rounds = Rounds()
        for _ in range(3):
            assert [one.address for one in await rounds.ask(settings, ask)] == ["quick"]
        answers.set()
        seen = [one.address for _ in range(3) for one in await rounds.ask(settings, ask)]
        assert seen.count("slow") == 1
        assert asked.count(("slow", 3600.0)) == 1
        assert asked.count(("quick", 0.01)) == 6

    asyncio.run(story())


def test_an_engine_id_has_sixteen_bytes() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        ProbeResponder(b"short")
