"""Replication by our own engines: links are found again by what they are for, sets are saved by generation."""

from __future__ import annotations

from typing import Any
from unittest.mock import create_autospec

import msgspec
import pytest

from orchestrator.engine.client import (
    AnswerRefused,
    ConnectionStatus,
    EngineClient,
    EngineUnreachable,
    ReplicaStatus,
    schema,
)
from orchestrator.model.outcomes import GiveUp, TryAgain
from orchestrator.model.ports import Link
from orchestrator.model.servers import Where
from orchestrator.replication.native import NativeReplication, Site

LINK = Link("p", "s", Where.SOURCE, "/srv", "/copy", epoch=2)


def connection(**given: Any) -> ConnectionStatus:
    values = {
        "id": 1, "key": "k1", "replication_set": "s", "target": "beta", "target_address": "192.0.2.2", "purpose": "protect",
        "protection": "p", "epoch": 2, "state": "Started", "transmit_state": "", "mirror_state": "", "replication_state": "",
        "target_data_state": "good", "target_state": "", "committed_sequence": 9, "applied_sequence": 9,
    }  # fmt: skip
    return ConnectionStatus.model_validate(values | given)


def server(name: str) -> Any:
    made = create_autospec(EngineClient, instance=True)
    made.server.return_value.configure_mock(
        name=name, engine_id=name[0] * 32, fingerprint=name[0] * 64, certificate_pem="pem", control_port=1, data_port=2
    )
    made.peers.return_value = []
    made.connections.return_value = []
    made.replicas.return_value = []
    made.replication_sets.return_value = []
    return made


@pytest.fixture
def engines() -> tuple[Any, Any]:
    return server("alpha"), server("beta")


@pytest.fixture
def native(engines: tuple[Any, Any]) -> NativeReplication:
    alpha, beta = engines
    return NativeReplication(Site(alpha, "192.0.2.1"), Site(beta, "192.0.2.2"))


def test_pairing_goes_both_ways(native: NativeReplication, engines: tuple[Any, Any]) -> None:
    alpha, beta = engines
    assert not native.paired()
    native.pair()
    (shown,), _ = alpha.add_peer.call_args
    assert (shown.name, shown.address) == ("beta", "192.0.2.2")
    (back,), _ = beta.add_peer.call_args
    alpha.peers.return_value, beta.peers.return_value = [shown], [back]
    assert native.paired()
    alpha.peers.return_value = [shown.model_copy(update={"fingerprint": "c" * 64})]
    assert not native.paired(), "another key is another engine"


def test_link_is_found_by_what_it_is_for(native: NativeReplication, engines: tuple[Any, Any]) -> None:
    others = [connection(purpose="restore"), connection(protection="q"), connection(epoch=1, key="old")]
    engines[0].connections.return_value = others
    assert native.status(LINK) is not None
    assert native.status(LINK).epoch == 1  # type: ignore[union-attr]
    engines[0].connections.return_value = [*others, connection()]
    native.disconnect(LINK)
    engines[0].disconnect.assert_called_once_with("k1")
    assert native.status(Link("x", "s", Where.SOURCE, "/a", "/b")) is None


def test_connect_maps_the_root_and_names_the_peer(native: NativeReplication, engines: tuple[Any, Any]) -> None:
    native.connect(LINK)
    (request,), _ = engines[0].connect.call_args
    assert request.target == "beta"
    assert request.mapping.pairs == [schema.PathPair(source="/srv", target="/copy")]
    assert (request.purpose, request.protection, request.epoch, request.mirror.checksum) == ("protect", "p", 2, True)
    engines[0].connections.return_value = [connection()]
    native.connect(LINK)
    engines[0].connect.assert_called_once()


@pytest.mark.covers("ENG-SYNC-01")
def test_a_synchronous_link_is_asked_for(native: NativeReplication, engines: tuple[Any, Any]) -> None:
    native.connect(msgspec.structs.replace(LINK, mode="synchronous", synchronous_wait_s=2.5, when_late="wait"))
    (request,), _ = engines[0].connect.call_args
    assert (request.mode, request.synchronous_wait_s, request.when_late) == ("synchronous", 2.5, "wait")


@pytest.mark.covers("ENG-SYNC-01")
def test_a_connection_that_is_there_goes_on_as_the_link_says(
    native: NativeReplication, engines: tuple[Any, Any]
) -> None:
    alpha = engines[0]
    alpha.connections.return_value = [connection(terms={"compression": "low", "bandwidth": {"bytes_per_s": 4096}})]
    same = msgspec.structs.replace(LINK, compression="low", bandwidth={"percent": 4.096, "link_bits_per_s": 800_000})
    for link in (LINK, same):
        native.connect(link)
        assert native.status(link).differs == {}  # type: ignore[union-attr]
    alpha.change_connection.assert_not_called()
    other = msgspec.structs.replace(LINK, mode="synchronous", compression="high", bandwidth={"bytes_per_s": 8192})
    assert native.status(other).differs == {  # type: ignore[union-attr]
        "mode": "asynchronous", "compression": "low", "bandwidth": {"bytes_per_s": 4096},
    }  # fmt: skip
    native.connect(other)
    (key, terms), _ = alpha.change_connection.call_args
    assert (key, terms.mode, terms.compression, terms.bandwidth.rate_bytes_s) == ("k1", "synchronous", "high", 8192)
    alpha.connect.assert_not_called()


@pytest.mark.parametrize(
    ("given", "in_step"),
    [({}, True), ({"state": "Error"}, False), ({"target_data_state": "mirroring"}, False)],
)
def test_in_step(native: NativeReplication, engines: tuple[Any, Any], given: dict[str, Any], in_step: bool) -> None:
    engines[0].connections.return_value = [connection(**given)]
    found = native.status(LINK)
    assert found is not None
    assert found.in_step is in_step


def test_settle_waits_until_all_is_applied(native: NativeReplication, engines: tuple[Any, Any]) -> None:
    alpha = engines[0]
    with pytest.raises(GiveUp, match="gone"):
        native.settle(LINK)
    alpha.connections.return_value = [connection(applied_sequence=4)]
    alpha.connection_action.side_effect = AnswerRefused(
        message="", hint="", error="Conflict", status=409, answered_exit_code=93
    )
    alpha.connection.return_value = connection(applied_sequence=6)
    with pytest.raises(TryAgain, match="3 operations"):
        native.settle(LINK)
    alpha.connections.return_value = [connection()]
    native.settle(LINK)


def test_sets_are_created_once_and_saved_by_generation(native: NativeReplication, engines: tuple[Any, Any]) -> None:
    alpha = engines[0]
    rules = [{"path": "", "include": True, "recursive": True}]
    native.put_replication_set(Where.SOURCE, "s", "/srv", rules)
    (made,), _ = alpha.create_replication_set.call_args
    alpha.replication_sets.return_value = [made.model_copy(update={"generation": 4})]
    native.put_replication_set(Where.SOURCE, "s", "/srv", rules)
    alpha.save_replication_set.assert_not_called()
    native.put_replication_set(Where.SOURCE, "s", "/srv", [{"path": "tmp", "include": False, "recursive": True}])
    (saved,), _ = alpha.save_replication_set.call_args
    assert saved.generation == 4
    assert native.replication_set(Where.SOURCE, "s") == {"root": "/srv", "rules": rules}


def test_the_receiving_side_is_told(native: NativeReplication, engines: tuple[Any, Any]) -> None:
    beta = engines[1]
    beta.replicas.return_value = [
        ReplicaStatus.model_validate(
            {"key": "k", "source": "alpha", "replication_set": "s", "target_root": "/copy", "protection": "p",
             "data_state": "good", "promoted": True, "set_aside": ["a.txt"]}
        )
    ]  # fmt: skip
    native.demote(LINK, 3, discard_changes=True)
    beta.replica_action.assert_called_once_with("k", "demote", epoch=3, discard_changes=True)
    facts = native.replica(LINK)
    assert facts is not None
    assert facts.promoted


def test_silence_is_worth_waiting_for(native: NativeReplication, engines: tuple[Any, Any]) -> None:
    engines[0].connections.side_effect = EngineUnreachable(where="a", why="silent")
    with pytest.raises(TryAgain):
        native.status(LINK)
