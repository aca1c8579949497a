"""A host over its engine: answers become the model's values, silence is worth waiting for, a refusal is not."""

from __future__ import annotations

from typing import Any
from unittest.mock import create_autospec

import pytest

from orchestrator.engine.client import (
    AnswerRefused,
    EngineClient,
    EngineUnreachable,
    Facts,
    ProtectionState,
    RunStatus,
    ServerStatus,
    ServiceStatus,
    schema,
)
from orchestrator.hosts.agent import AgentHost
from orchestrator.model.outcomes import GiveUp, TryAgain

SIDE = {"name": "alpha", "engine_id": "a" * 32, "control_address": "192.0.2.1", "fingerprint": "a" * 64}
DOCUMENT = {
    "id": "p", "application": "fileprint", "role": "source", "epoch": 3, "source": SIDE,
    "target": SIDE | {"name": "beta", "engine_id": "b" * 32}, "replication_set": "s",
}  # fmt: skip


@pytest.fixture
def engine() -> Any:
    client = create_autospec(EngineClient, instance=True)
    client.protections.return_value = [schema.Protection.model_validate(DOCUMENT)]
    return client


def status(name: str, state: str = "running") -> ServiceStatus:
    return ServiceStatus.model_validate({"name": name, "protection": "p", "backend": "command", "state": state})


def refused(code: int) -> AnswerRefused:
    return AnswerRefused(message="no", hint="", error="Unknown", status=code, answered_exit_code=92)


def test_clock_offset_is_taken_in_the_middle_of_the_question(engine: Any) -> None:
    engine.server.return_value = ServerStatus.model_validate(
        {
            "name": "alpha", "engine_id": "a" * 32, "version": "1", "fingerprint": "f", "certificate_pem": "",
            "addresses": ["192.0.2.1"], "control_port": 1, "data_port": 2, "probe_port": 3, "capture": "fuse",
            "boot_id": "b", "time_ns": 105_000_000_000, "uptime_s": 1.0,
        }
    )  # fmt: skip
    engine.peers.return_value = []
    times = iter([100.0, 104.0])
    found = AgentHost("alpha", engine, now=lambda: next(times)).engine()
    assert found.clock_offset_s == pytest.approx(3.0)


def test_paths_come_in_the_order_asked(engine: Any) -> None:
    there = {"exists": True, "kind": "directory", "bytes": 5}
    engine.facts.return_value = Facts.model_validate(
        {
            "hostname": "a",
            "addresses": [],
            "boot_id": "b",
            "paths": {"/b": there, "/a": {"exists": False}},
            "listening": [],
        }
    )
    assert [one.path for one in AgentHost("alpha", engine).facts(["/a", "/b"]).paths] == ["/a", "/b"]


def test_silence_may_pass_a_refusal_will_not(engine: Any) -> None:
    engine.facts.side_effect = EngineUnreachable(where="a:1", why="connection refused")
    with pytest.raises(TryAgain, match="connection refused"):
        AgentHost("alpha", engine).facts()
    engine.start_service.side_effect = refused(409)
    with pytest.raises(AnswerRefused):
        AgentHost("alpha", engine).start_service("files")


def test_services_that_are_not_managed_are_looked_at(engine: Any) -> None:
    engine.services.return_value = [status("files")]
    engine.service.side_effect = status
    engine.look_at_services.return_value = [status("web", "stopped")]
    wanted = [{"name": "files", "unit": "files"}, {"name": "web", "unit": "web"}]
    found = AgentHost("alpha", engine).services(wanted)
    assert [(one.name, one.state, one.managed) for one in found] == [
        ("files", "running", True),
        ("web", "stopped", False),
    ]
    (asked,) = engine.look_at_services.call_args.args
    assert [service.name for service in asked] == ["web"]


def test_a_strange_service_is_stopped_by_its_document(engine: Any) -> None:
    engine.services.return_value = []
    host = AgentHost("alpha", engine)
    host.stop_service("web", {"name": "web", "unit": "web"})
    engine.stop_strange_service.assert_called_once()
    engine.services.return_value = [status("web")]
    host.stop_service("web", {"name": "web", "unit": "web"})
    engine.stop_service.assert_called_once_with("web")


def test_protection_that_is_not_there(engine: Any) -> None:
    host = AgentHost("alpha", engine)
    assert host.protection("other") is None
    assert host.protection_document("other") is None
    engine.delete_protection.side_effect = refused(404)
    host.remove_protection("other")
    engine.delete_protection.side_effect = refused(409)
    with pytest.raises(AnswerRefused):
        host.remove_protection("p")


def test_protection_as_the_engine_sees_it(engine: Any) -> None:
    state = {
        "id": "p", "role": "source", "epoch": 3, "fence": {"held": True, "reason": "lost"}, "monitor": {"enabled": False},
        "phase": "done", "says": "well", "lease_remaining_s": 2.5,
    }  # fmt: skip
    engine.protection_state.return_value = ProtectionState.model_validate(state)
    view = AgentHost("alpha", engine).protection("p")
    assert view is not None
    assert (view.epoch, view.fenced, view.phase, view.lease_remaining_s) == (3, True, "done", 2.5)
    assert len(view.document_sha256) == 64


def test_document_that_no_engine_would_take_is_refused_before_it_travels(engine: Any) -> None:
    with pytest.raises(GiveUp, match="epoch"):
        AgentHost("alpha", engine).put_protection(DOCUMENT | {"epoch": -1})
    engine.put_protection.assert_not_called()


def test_run_tells_the_last_event_of_each_step_and_the_last_words_of_a_failure(engine: Any) -> None:
    lines = [
        {"step": "one", "event": "about-to"},
        {"step": "one", "event": "done", "says": "one is done"},
        {"step": "two", "event": "failed", "says": "two failed"},
    ]
    engine.run.return_value = RunStatus(
        run_id="r", protection="p", script="post_failover", state="failed", lines=lines, output="bash: no\n"
    )
    run = AgentHost("alpha", engine).script_run("r", "post_failover")
    assert run is not None
    assert run.steps == {"one": "done", "two": "failed"}
    assert run.says == "two failed | bash: no"
    engine.run.assert_called_once_with("r.post_failover")
    engine.run.side_effect = refused(404)
    assert AgentHost("alpha", engine).script_run("r", "post_failover") is None
