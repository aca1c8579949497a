"""The settings: the guide's defaults and limits, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from orchestrator.model.servers import Where
from orchestrator.model.settings import Settings

BASE: dict[str, Any] = {"application": "fileprint", "source": "alpha", "target": "beta", "name": "files.example.com"}
SERVICE = {"name": "files", "start_command": ["serve"]}


def settings(**more: Any) -> Settings:
    return Settings.model_validate(BASE | more)


@pytest.mark.covers("AM-06")
def test_the_guides_defaults() -> None:
    found = settings()
    assert (found.monitoring.interval_s, found.monitoring.missed) == (5, 5)
    assert found.monitoring.enabled
    assert found.monitoring.manual_intervention
    assert found.monitoring.method == "udp"
    assert found.failover.dns.ttl_limit_s == 300
    assert found.failover.type == "dns"
    assert found.connection.mirror == "checksum"
    assert not found.connection.compression
    assert found.replication_set == "fileprint_alpha_beta"


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"monitoring": {"missed": 0}}, "greater than or equal to 1"),
        ({"monitoring": {"interval_s": 0}}, "0.05"),
        ({"monitoring": {"mised": 3}}, "Extra inputs"),
        ({"monitoring": {"manual_intervention": False}}, "needs a witness"),
        ({"name": "files"}, "no domain"),
        ({"name": "files.example"}, "single label"),
        ({"name": "fi_les.exa$mple.com"}, "'\\$' is not allowed"),
        ({"name": "-files.example.com"}, "not allowed"),
        ({"target": "ALPHA"}, "same server"),
        ({"source": "al pha"}, "' ' is not allowed"),
        ({"connection": {"roots": [{"source_path": "srv"}]}}, "absolute"),
        ({"connection": {"roots": [{"source_path": "/a/../b"}]}}, r"'\.\.'"),
        ({"connection": {"roots": [{"source_path": "/a\nb"}]}}, "must not contain the character"),
        (
            {"connection": {"roots": [{"source_path": "/a"}, {"source_path": "/a-b"}, {"source_path": "/a/c"}]}},
            "inside /a",
        ),
        ({"connection": {"orphans": {"action": "move"}}}, "needs move_to"),
        ({"connection": {"queue": {"memory_limit_bytes": 10}}}, "5242880"),
        ({"failover": {"services": [{"name": "files"}]}}, "either unit or start_command"),
        ({"failover": {"services": [SERVICE, SERVICE]}}, "more than once"),
        ({"failover": {"dns": {"servers": ["ns1.example.com"]}}}, "not an IP address"),
        ({"failover": {"dns": {"servers": ["10.0.0.1:99999"]}}}, "not between"),
        (
            {"failover": {"dns": {"addresses": [{"source": "10.0.0.1", "target": "10.0.0.2"}] * 2}}},
            "used more than once",
        ),
        ({"advanced": {"rules": [{"path": "/a"}]}}, "override_generated_rules"),
        ({"advanced": {"silenced": [{"check": "Not Kebab", "reason": "because"}]}}, "pattern"),
    ],
)
@pytest.mark.covers("AM-06")
def test_limits_and_dependencies(more: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        settings(**more)


@pytest.mark.covers("AM-07")
def test_a_service_may_differ_between_the_sides() -> None:
    service = SERVICE | {"target": {"start_command": ["serve", "--replica"], "health_url": "http://127.0.0.2/"}}
    found = settings(failover={"services": [service]}).failover.services[0]
    assert found.on(Where.SOURCE).start_command == ("serve",)
    assert found.on(Where.TARGET).start_command == ("serve", "--replica")
    assert found.document(Where.TARGET)["health_url"] == "http://127.0.0.2/"
    assert found.document(Where.SOURCE)["health_url"] is None


def test_a_side_may_use_a_unit_where_the_other_uses_commands() -> None:
    service = {"name": "files", "source": {"unit": "nginx.service"}, "target": {"start_command": ["serve"]}}
    found = settings(failover={"services": [service]}).failover.services[0]
    assert (found.on(Where.SOURCE).unit, found.on(Where.TARGET).unit) == ("nginx.service", None)


@pytest.mark.parametrize("address", ["10.0.0.53", "10.0.0.53:5353", "2001:db8::53", "[2001:db8::53]:53"])
def test_ways_to_write_a_name_server(address: str) -> None:
    assert settings(failover={"dns": {"servers": [address]}}).failover.dns.servers == (address,)


def test_every_group_is_documented_and_closed() -> None:
    def groups(model: type[BaseModel]) -> list[type[BaseModel]]:
        inner = [
            one
            for field in model.model_fields.values()
            for one in (field.annotation, *getattr(field.annotation, "__args__", ()))
            if isinstance(one, type) and issubclass(one, BaseModel)
        ]
        return [model, *(group for one in inner for group in groups(one))]

    for group in groups(Settings):
        assert group.__doc__
        assert group.model_config.get("extra") == "forbid", group
        assert group.model_config.get("frozen"), group


IDENTITY = {"type": "identity", "identity": {"addresses": [{"source": "10.0.0.1", "interface": "eth0"}]}}
DIRECTORY = {"directory": {"domain": "lab.example"}}


@pytest.mark.parametrize(
    ("failover", "why"),
    [
        ({"items": {"addresses": True}}, "needs type: identity"),
        ({"items": {"spns": True}, "samba": {}}, "needs directory"),
        ({"items": {"shares": True}}, "need samba"),
        ({"items": {"name": True}}, "need samba"),
        ({"type": "identity"}, "identity.addresses, or items.addresses: false"),
        ({"dns": {"security": "kerberos"}}, "needs dns.domain or directory"),
        ({"dns": {"security": "tsig"}}, "tsig needs key_file"),
        ({"dns": {"security": "none", "key_file": "/key"}}, "leave one of the two out"),
        ({"directory": {"domain": "lab"}}, "single label"),
        (
            {"type": "identity", "identity": {"addresses": [{"source": "10.0.0.1", "interface": "a"}] * 2}},
            "more than once",
        ),
    ],
)
def test_what_cannot_be_failed_over_is_refused(failover: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        settings(failover=failover)


@pytest.mark.covers("AM-06")
@pytest.mark.parametrize(
    ("failover", "moves"),
    [
        ({}, set()),
        ({"samba": {}}, {"name", "shares"}),
        ({"samba": {}} | DIRECTORY, {"name", "shares", "spns"}),
        ({"samba": {}} | DIRECTORY | IDENTITY, {"name", "shares", "spns", "addresses"}),
        ({"samba": {}, "items": {"name": False}} | DIRECTORY, {"shares", "spns"}),
        (IDENTITY | {"items": {"addresses": False}}, set()),
    ],
)
def test_items_that_move_unless_chosen_otherwise(failover: dict[str, Any], moves: set[str]) -> None:
    found = settings(failover=failover).failover
    assert {one for one in ("addresses", "name", "shares", "spns") if found.fails_over(one)} == moves  # type: ignore[arg-type]


def test_shares_are_chosen_by_name_in_any_letters() -> None:
    chosen = settings(connection={"shares": {"include": ["Docs", "Old"], "exclude": ["old"]}}).connection.shares
    assert [name for name in ("docs", "OLD", "other") if chosen.chosen(name)] == ["docs"]
    assert settings().connection.shares.chosen("anything")
