"""The system log is told, and is never waited for."""

from __future__ import annotations

import socket

from orchestrator.engine.control.system_log import SystemLog


def test_a_sentence_arrives_with_its_priority_and_a_log_that_stands_still_holds_nobody_up(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(str(tmp_path / "log"))
        for number in range(2000):  # more than the system keeps for a reader
            SystemLog(tmp_path / "log").warn(f"50 % of the queue, {number}")
        first = log.recv(4096).decode()
    assert first.startswith("<28>dtengine[")
    assert first.endswith("]: 50 % of the queue, 0")


def test_a_host_without_a_system_log_is_none_the_worse(tmp_path):
    SystemLog(tmp_path / "none").warn("nobody hears this")
