"""Whoever started the engine hears once that it is ready; its children cannot speak in its name."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from orchestrator.engine.control.readiness import tell_ready


@pytest.mark.parametrize("abstract", [False, True])
def test_ready_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool) -> None:
    name = f"@{tmp_path}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(name.replace("@", "\0", 1))
        systemd.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        assert tell_ready("2 directories")
        assert systemd.recv(200) == b"READY=1\nSTATUS=2 directories\n"
        assert "NOTIFY_SOCKET" not in os.environ
        assert not tell_ready("again")


def test_a_deaf_socket_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    assert not tell_ready("ready")
