"""Monitors and scripts around a move, on real engines: a monitor edited and removed, a failover on demand, and a failback whose
script on the source nobody waits for, after which the target watches no more until it is told to.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.engine.client import ConnectionStatus, EngineClient
from tests.e2e.test_cli_asked import ID, Desk, desk

__all__ = ["desk"]
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]
MIB = 1 << 20
LIMIT_BYTES_S = 2 * MIB
WAITING = 'hostname >{mark}; printf "%s\\n" "$DTAM_PROTECTION" >>{mark}; until [[ -e {go} ]]; do sleep 0.05; done; echo over >>{mark}'


def enable(desk: Desk, **changes: dict[str, Any]) -> str:
    """Keep these settings and enable."""
    given = yaml.safe_load(desk.stage.protection_file.read_text())
    for part, values in changes.items():
        given.setdefault(part, {}).update(values)
    desk.stage.protection_file.write_text(yaml.safe_dump(given))
    return desk.run("--fileprint", "setup", "--file", str(desk.stage.protection_file), "--yes")


def monitor(desk: Desk) -> Any:
    """The target's watch as its engine tells it."""
    with EngineClient.local(str(desk.stage.beta.directory / "engine" / "control.sock")) as engine:
        return engine.protection_state(ID).monitor


def connection(desk: Desk) -> ConnectionStatus:
    """The one that carries the protected data, as its source tells it."""
    with EngineClient.local(str(desk.stage.alpha.directory / "engine" / "control.sock")) as engine:
        (found,) = engine.connections()
        return found


def until(what: str, look: Any) -> None:
    deadline = time.monotonic() + 120
    while not look():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def queues_and_travels_as_set(desk: Desk, folder: Path) -> None:
    """What waits past the memory's limit lies in the chosen folder of the source; on its way it is compressed, and no faster than the limit."""
    data = desk.stage.data(desk.stage.alpha)
    with EngineClient.local(str(desk.stage.alpha.directory / "engine" / "control.sock")) as engine:
        key, before = connection(desk).key, connection(desk)
        assert (before.compression, before.bandwidth_bytes_s) == ("low", LIMIT_BYTES_S)
        engine.connection_action(key, "pause")
        for number in range(8):
            (data / f"words-{number}").write_bytes(b"the same words again; " * (MIB // 22))
        waiting = sum(one.stat().st_size for one in folder.rglob("*.seg"))
        assert waiting > MIB, "in the folder that was chosen"
        began_s = time.monotonic()
        engine.connection_action(key, "resume")
        until("all of it is there", lambda: connection(desk).replication_queue_bytes == 0)
        took_s = time.monotonic() - began_s
    now = connection(desk)
    sent = now.replication_bytes_sent - before.replication_bytes_sent
    compressed = now.replication_compressed_bytes_sent - before.replication_compressed_bytes_sent
    assert sent > 7 * MIB
    assert compressed < sent / 4
    assert compressed / took_s < 1.5 * LIMIT_BYTES_S


@pytest.mark.covers("ENG-SYNC-01", "ENG-FO-05", "ENG-FO-06", "ENG-FO-07", "ENG-Q-01", "ENG-Q-08")
def test_a_monitor_is_edited_removed_and_stopped_after_a_failback(desk: Desk, tmp_path: Path) -> None:
    mark, go = tmp_path / "mark", tmp_path / "go"
    desk.add_hosts()
    own = {"post_failback": WAITING.format(mark=mark, go=go)}
    given = {"queue": {"disk_folder": str(tmp_path / "queue"), "memory_limit_bytes": 6 * MIB}}
    given |= {"compression": "low", "bandwidth": {"bytes_per_s": LIMIT_BYTES_S}}
    enable(
        desk,
        advanced={"scripts": own},
        failover={"not_awaited": ["post_failback"]},
        monitoring={"missed": 40},
        connection=given,
    )
    assert (monitor(desk).enabled, monitor(desk).allowed) == (True, 40)

    queues_and_travels_as_set(desk, tmp_path / "queue")
    enable(desk, monitoring={"missed": 60, "enabled": False})
    assert (monitor(desk).enabled, monitor(desk).allowed) == (False, 60)
    changed = {"compression": "low", "bandwidth": {"bytes_per_s": 1 << 30}, "mode": "synchronous", "when_late": "wait"}
    before = connection(desk)
    enable(desk, monitoring={"enabled": True}, connection=changed)
    assert monitor(desk).enabled
    assert connection(desk).terms.model_dump(mode="json", exclude_none=True).items() >= changed.items()
    assert connection(desk).key == before.key, "the connection goes on"
    enable(desk, connection={"compression": "off", "mode": "asynchronous"})
    assert (connection(desk).mode, connection(desk).compression) == ("asynchronous", "off")

    desk.run("failover", "--graceful", "--yes")
    assert json.loads(desk.run("status", "--protection", ID, "--json"))["stage"] == "failed_over"
    refused = desk.run("disable", "--yes", code=14)
    assert "only a failback gives back" in refused
    assert "--force" in refused
    assert not mark.exists()
    desk.run("failback", "--yes", "--stop-monitoring")
    until("the source's script has begun", mark.exists)
    assert "over" not in mark.read_text(), "the failback has waited for it"
    assert not monitor(desk).enabled
    go.touch()
    until("the source's script has ended", lambda: "over" in mark.read_text())
    assert mark.read_text().splitlines()[1:] == [ID, "over"]
    assert list((desk.stage.alpha.directory / "engine" / "runs").glob("*.post_failback.run"))

    desk.run("monitor", "--on")
    assert monitor(desk).enabled
    desk.run("failover", "--graceful", "--yes")
    desk.run("disable", "--yes", "--force")
    assert desk.known_to_engines() == []
    names = desk.stage.beta.directory / "engine" / "names"
    assert not list(names.glob("*.undo.json"))
