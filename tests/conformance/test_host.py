"""The Host port: what every way to reach a host must keep."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchestrator.errors import DtamError
from orchestrator.model.documents import says_all
from orchestrator.model.servers import Where
from tests.conformance.pairs import HOST_KINDS, HostPair, patiently

SOURCE, TARGET = Where.SOURCE, Where.TARGET


@pytest.fixture(params=list(HOST_KINDS), scope="module")
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostPair]:
    with HOST_KINDS[request.param](tmp_path_factory.mktemp("pair")) as made:
        yield made


def test_it_says_who_it_is(pair: HostPair) -> None:
    if not pair.has_engines:
        assert pair.hosts[SOURCE].facts().hostname.lower() == pair.hosts[SOURCE].name
        return
    facts = pair.hosts[SOURCE].engine()
    assert facts.name == pair.hosts[SOURCE].name
    assert facts.engine_id == pair.engine_ids[SOURCE]
    assert abs(facts.clock_offset_s) < 60


def test_paths_are_answered_in_the_order_asked(pair: HostPair) -> None:
    found = pair.hosts[SOURCE].facts([f"{pair.source_path}/absent", pair.source_path]).paths
    assert [one.path for one in found] == [f"{pair.source_path}/absent", pair.source_path]
    assert [one.exists for one in found] == [False, True]
    assert found[1].kind == "directory"


def test_directories_are_made_with_parents_and_removed_only_empty(pair: HostPair) -> None:
    host, inner = pair.hosts[TARGET], pair.beside("made/inner")
    for _ in range(2):
        host.make_directory(inner)
        assert host.facts([inner]).paths[0].exists
    for _ in range(2):
        host.remove_directory(inner)
        assert not host.facts([inner]).paths[0].exists
    pair.hosts[SOURCE].remove_directory(pair.source_path)
    assert pair.hosts[SOURCE].facts([pair.source_path]).paths[0].exists


def test_what_the_other_platform_has_is_refused_in_words(pair: HostPair) -> None:
    host = pair.hosts[SOURCE]
    with pytest.raises(DtamError, match=host.name):
        host.windows() if pair.has_engines else host.samba("/etc/samba/smb.conf")


def test_sharing_is_said_even_where_there_is_none(pair: HostPair) -> None:
    if not pair.has_engines:
        assert pair.hosts[SOURCE].windows().share("IPC$") is not None
        return
    said = pair.hosts[SOURCE].samba("/nowhere/smb.conf", ["/nowhere/keytab"])
    assert not said.installed
    assert said.problems


def test_what_it_has_no_part_in(pair: HostPair) -> None:
    host = pair.hosts[SOURCE]
    assert host.protection("other") is None
    assert host.protection_document("other") is None
    assert host.script_text("other", "post_failover") is None
    assert host.script_run("run-0", "post_failover") is None
    host.remove_protection("other")


@pytest.fixture
def told(pair: HostPair) -> Iterator[HostPair]:
    for where, host in pair.hosts.items():
        host.put_protection(pair.document(where))
    yield pair
    for host in pair.hosts.values():
        for service in host.services():
            host.stop_service(service.name)
        host.remove_protection("p")
        host.remove_protection("p")


def test_a_document_is_held_as_it_was_given(told: HostPair) -> None:
    for where, host in told.hosts.items():
        held = host.protection_document("p")
        assert held is not None
        assert says_all(held, told.document(where))
        assert ("p", where.value) in host.protections()
        view = host.protection("p")
        assert view is not None
        assert (view.role, view.epoch, view.phase) == (where.value, 1, "idle")


@pytest.mark.covers("AM-27")
def test_an_older_epoch_is_refused(told: HostPair) -> None:
    host = told.hosts[SOURCE]
    host.put_protection(told.document(SOURCE, 2))
    with pytest.raises(DtamError):
        host.put_protection(told.document(SOURCE, 1))
    view = host.protection("p")
    assert view is not None
    assert view.epoch == 2


@pytest.mark.covers("AM-27")
def test_a_service_runs_only_where_the_epoch_is_held(told: HostPair) -> None:
    source, target = told.hosts[SOURCE], told.hosts[TARGET]
    with pytest.raises(DtamError):
        target.start_service("files")
    source.act("p", "set_epoch", {"epoch": 1})
    for _ in range(2):
        source.start_service("files")
        assert [one.state for one in source.services()] == ["running"]
    source.act("p", "fence", {"reason": "a test"})
    view = source.protection("p")
    assert view is not None
    assert view.fenced
    assert [one.state for one in source.services()] == ["stopped"]
    with pytest.raises(DtamError):
        source.start_service("files")
    source.act("p", "set_epoch", {"epoch": 1})
    patiently(lambda: source.services()[0].state == "running", "what was wanted runs again")
    for _ in range(2):
        source.stop_service("files")
        assert [one.state for one in source.services()] == ["stopped"]


def test_the_monitor_is_switched(told: HostPair) -> None:
    host = told.hosts[TARGET]
    for action, on in (("enable_monitor", True), ("enable_monitor", True), ("disable_monitor", False)):
        host.act("p", action, {})
        view = host.protection("p")
        assert view is not None
        assert view.monitor is on


def test_scripts_are_delivered_whole(told: HostPair) -> None:
    host = told.hosts[TARGET]
    assert host.script_text("p", "pre_failback") is None
    for text in ("#!/bin/bash\necho ä\n", "#!/bin/bash\ntrue\n"):
        host.deliver_script("p", "pre_failback", text)
        assert host.script_text("p", "pre_failback") == text
