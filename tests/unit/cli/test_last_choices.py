"""What a person chose last and that says nothing of machines is the default of the next protection (AM-06)."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator import configure, discover
from orchestrator.model.provenance import Layer
from orchestrator.model.servers import EngineAddress, Server, ServerName
from orchestrator.pipeline import Pipeline


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    monkeypatch.setattr(discover, "sharing", lambda *_: None)
    made = Pipeline(tmp_path, "somebody")
    for number, name in enumerate(("alpha", "beta", "gamma", "delta")):
        address = f"192.0.2.{10 + number}"
        made.store.put_server(Server(ServerName(name), (address,), EngineAddress(address)))
    return made


def settled(pipeline: Pipeline, source: str, target: str, **more: object):
    values = {"source": source, "target": target, "name": f"{source}.example.com", **more}
    return pipeline.configure("fileprint", [configure.layer(values, Layer.FLAG)])


@pytest.mark.covers("AM-06")
def test_the_last_choice_is_the_next_default(pipeline: Pipeline) -> None:
    first = settled(
        pipeline, "alpha", "beta", monitoring={"missed": 9, "addresses": ["192.0.2.10"]}, connection={"mirror": "full"}
    )
    pipeline.keep(first)
    second = settled(pipeline, "gamma", "delta")
    assert second.settings.monitoring.missed == 9
    assert second.settings.connection.mirror == "full"
    assert "last choice" in str(second.origin("monitoring.missed"))
    assert "192.0.2.10" not in second.settings.monitoring.addresses, "addresses are facts about machines"


def test_what_is_given_now_wins_over_the_last_choice(pipeline: Pipeline) -> None:
    pipeline.keep(settled(pipeline, "alpha", "beta", monitoring={"missed": 9}))
    assert settled(pipeline, "gamma", "delta", monitoring={"missed": 3}).settings.monitoring.missed == 3
