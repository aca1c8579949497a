"""A pair of SQL Servers that was configured before: its settings are offered again, unless its addresses changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator import configure, discover
from orchestrator.model.errors import SettingsInvalid
from orchestrator.model.protections import Protection
from orchestrator.model.provenance import Layer
from orchestrator.model.servers import EngineAddress, Server, ServerName
from orchestrator.pipeline import Pipeline

NAMES = {"source": "alpha", "target": "beta", "name": "sql.example.com"}
DATABASES = [{"name": "orders", "target_data_path": "/data/orders"}, {"name": "archive", "protect": False}]
CHOSEN: dict[str, Any] = {
    "connection": {"roots": [{"source_path": "/var/opt/mssql/data", "target_path": "/data/orders"}], "mirror": "full"},
    "failover": {
        "sql": {"mode": "database", "databases": DATABASES, "logins": {"refresh_interval_s": 600}},
        "services": [{"name": "mssql-server", "unit": "mssql-server"}],
    },
    "monitoring": {"missed": 9, "application": {"errors": 5}},
    "snapshots": {"interval_s": 1800},
}


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(discover, "sharing", lambda *_: None)
    monkeypatch.setattr(discover, "databases", lambda found, *_: found)
    with Pipeline(tmp_path, "somebody") as made:
        for number, name in enumerate(("alpha", "beta", "gamma", "delta")):
            know(made, name, f"192.0.2.{10 + number}")
        yield made


def know(pipeline: Pipeline, name: str, address: str) -> None:
    pipeline.store.put_server(Server(ServerName(name), (address,), EngineAddress(address)))


def settled(pipeline: Pipeline, given: dict[str, Any], *, reuse: bool = False) -> Protection:
    return pipeline.configure("sql", [configure.layer(given, Layer.FLAG)], reuse=reuse)


@pytest.mark.covers("AM-05")
def test_what_was_chosen_for_the_pair_is_offered_again_after_its_protection_has_gone(pipeline: Pipeline) -> None:
    first = settled(pipeline, NAMES | CHOSEN)
    pipeline.keep(first)
    pipeline.store.remove_protection(first.id)
    again = settled(pipeline, NAMES | {"monitoring": {"missed": 3}}, reuse=True)
    assert again.settings.failover == first.settings.failover
    assert again.settings.monitoring.application == first.settings.monitoring.application
    assert again.settings.monitoring.missed == 3, "what is given now counts on top"
    assert "alpha and beta before" in str(again.origin("failover.sql.mode"))


@pytest.mark.covers("AM-05")
@pytest.mark.parametrize(("server", "address"), [("alpha", "192.0.2.99"), ("beta", "198.51.100.7")])
def test_changed_addresses_force_a_new_configuration(pipeline: Pipeline, server: str, address: str) -> None:
    pipeline.keep(settled(pipeline, NAMES | CHOSEN))
    know(pipeline, server, address)
    with pytest.raises(SettingsInvalid, match="addresses of alpha or beta changed") as refused:
        settled(pipeline, NAMES, reuse=True)
    assert "without --reuse" in refused.value.hint
    assert settled(pipeline, NAMES | CHOSEN).settings.monitoring.missed == 9


@pytest.mark.covers("AM-06")
def test_what_names_no_machine_is_the_next_pairs_default(pipeline: Pipeline) -> None:
    pipeline.keep(settled(pipeline, NAMES | CHOSEN))
    other = {"source": "gamma", "target": "delta", "name": "other.example.com"}
    found = settled(pipeline, other | {"connection": {"roots": [{"source_path": "/var/opt/mssql"}]}}).settings
    assert (found.monitoring.missed, found.connection.mirror, found.snapshots.interval_s) == (9, "full", 1800)
    assert found.failover.sql is not None
    assert found.failover.sql.logins.refresh_interval_s == 600
    assert not found.failover.sql.databases, "databases are those of a machine"


def test_habits_survive_in_the_store_of_the_home(pipeline: Pipeline) -> None:
    held = settled(pipeline, NAMES | CHOSEN)
    pipeline.keep(held)
    latest = pipeline.store.latest("sql")
    assert latest is not None
    assert configure.habits(latest.settings).values["snapshots"] == {"interval_s": 1800}
