"""The small parts of the control room, each by itself."""

from __future__ import annotations

import json
import os
import socket
import stat
import threading
from pathlib import Path

import pytest
from pydantic import ValidationError

from orchestrator.engine.cli.asking import split_address
from orchestrator.engine.control import accounts, commands, schema, settings, store
from orchestrator.engine.control.errors import Conflict, SettingsUnreadable, StateFileDamaged, StateInUse, Unauthorised
from orchestrator.engine.control.events import Events
from orchestrator.engine.control.identity import ensure_identity
from orchestrator.engine.control.layout import Layout
from orchestrator.engine.control.releasing import Releases
from orchestrator.engine.control.runs import read_lines, run_state
from orchestrator.engine.control.sets import ReplicationSets
from orchestrator.engine.control.unix_pool import socket_address


@pytest.fixture
def layout(tmp_path) -> Layout:
    made = Layout(tmp_path / "state")
    made.make()
    return made


def test_a_document_is_replaced_whole_and_kept_tight(tmp_path):
    path = tmp_path / "one.json"
    for root in ("/a", "/b"):
        store.save(path, schema.ReplicationSet(name="one", root=root))
    assert store.load(path, schema.ReplicationSet).root == "/b"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"null", b'{"name": "x"}', b"\xff\xfe", b'{"name":"one","root":"/a","new":1}']
)
def test_a_torn_document_is_one_error_that_names_it(tmp_path, content):
    path = tmp_path / "one.json"
    path.write_bytes(content)
    with pytest.raises(StateFileDamaged) as damaged:
        store.load(path, schema.ReplicationSet)
    assert str(path) in str(damaged.value)
    assert "\n" not in str(damaged.value)


def test_a_failed_write_leaves_the_old_document(tmp_path, monkeypatch):
    path = tmp_path / "one.json"
    store.save(path, schema.ReplicationSet(name="one", root="/a"))
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        store.save(path, schema.ReplicationSet(name="one", root="/b"))
    assert store.load(path, schema.ReplicationSet).root == "/a"
    assert list(tmp_path.iterdir()) == [path]


def test_one_daemon_at_a_time(layout):
    held = layout.lock()
    with pytest.raises(StateInUse, match=str(os.getpid())):
        layout.lock()
    os.close(held)
    os.close(layout.lock())


def test_identity_is_made_once_and_survives_a_new_name(layout):
    first = ensure_identity(layout, "alpha")
    again = ensure_identity(layout, "renamed")
    assert (again.engine_id, again.fingerprint) == (first.engine_id, first.fingerprint)
    assert (first.name, again.name) == ("alpha", "renamed")
    assert stat.S_IMODE(layout.key.stat().st_mode) == 0o600
    layout.certificate.write_text("nonsense")
    with pytest.raises(StateFileDamaged, match="not a certificate"):
        ensure_identity(layout, "alpha")


def test_tokens_are_stored_hashed_and_counted_by_scope(tmp_path):
    tokens = accounts.Tokens(tmp_path / "tokens.json")
    made = tokens.create(schema.TokenRequest(name="boss", scope="admin"))
    assert made.token not in (tmp_path / "tokens.json").read_text()
    again = accounts.Tokens(tmp_path / "tokens.json")
    assert again.caller(made.token) == accounts.Caller("token boss", schema.Scope.ADMIN)
    assert again.caller(made.token[:-1]) is None
    assert again.caller("") is None
    with pytest.raises(Conflict):
        again.create(schema.TokenRequest(name="boss"))
    again.revoke("boss")
    assert accounts.Tokens(tmp_path / "tokens.json").caller(made.token) is None


@pytest.mark.covers("ENG-SEC-01")
def test_groups_decide_who_may_act_and_who_may_look(monkeypatch):
    groups = {"ann": {"dtadmin"}, "bob": {"dtmon", "users"}, "eve": {"users"}}
    users = {1001: "ann", 1002: "bob", 1003: "eve"}
    monkeypatch.setattr(accounts, "group_names", lambda peer: groups[users[peer.uid]])
    callers = {name: accounts.local_caller(accounts.LocalPeer(uid, uid, 1), own_uid=999) for uid, name in users.items()}
    assert callers["ann"].scope is schema.Scope.ADMIN
    assert callers["bob"].scope is schema.Scope.MONITOR
    assert callers["eve"] is None
    for own in (0, 999):
        assert accounts.local_caller(accounts.LocalPeer(own, 5, 1), own_uid=999).scope is schema.Scope.ADMIN
    with pytest.raises(Unauthorised, match="may look, not act"):
        accounts.require(callers["bob"], schema.Scope.ADMIN, local=True)
    with pytest.raises(Unauthorised, match="does not know this user"):
        accounts.require(None, schema.Scope.MONITOR, local=True)


def test_events_are_numbered_for_ever_and_a_torn_tail_is_dropped(tmp_path):
    path = tmp_path / "events.jsonl"
    events = Events(path)
    for number in range(3):
        events.tell("test", f"sentence {number}")
    events.close()
    with path.open("a") as file:
        file.write('{"n": 4, "time_')
    again = Events(path)
    again.tell("test", "after the crash")
    assert [event.n for event in again.after(0)] == [1, 2, 3, 4]
    assert [event.sentence for event in again.after(3)] == ["after the crash"]
    again.close()


def test_events_stay_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr("orchestrator.engine.control.events.LIMIT_BYTES", 5_000)
    events = Events(tmp_path / "events.jsonl")
    for _ in range(200):
        events.tell("test", "x" * 50)
    assert (tmp_path / "events.jsonl").stat().st_size < 6_000
    assert events.after(199)[0].n == 200
    events.close()


@pytest.mark.parametrize(
    ("line", "pid", "state"),
    [
        ("12 (sh) S 1 12 12 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 777 0", 12, "S"),
        ("12 (a) b) (c) Z 1 12 12 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 777 0", 12, "Z"),
    ],
)
def test_a_process_line_is_read_whatever_its_name(line, pid, state):
    process, letter = commands.parse_stat(line)
    assert (process, letter) == (commands.Process(pid, 777), state)


def test_another_process_under_the_same_id_is_not_the_service(tmp_path):
    pid_file = tmp_path / "process"
    child = commands.spawn(["sleep", "60"], pid_file, tmp_path / "out", environment={"PATH": commands.PLAIN_PATH})
    try:
        assert commands.running(pid_file).pid == child.pid
        recorded, boot = pid_file.read_text().splitlines()
        pid_file.write_text(recorded.replace(recorded.split()[21], "1", 1) + "\n" + boot + "\n")
        assert commands.running(pid_file) is None
        pid_file.write_text(f"{recorded}\nanother-boot\n")
        assert commands.running(pid_file) is None
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize(
    ("alive", "code", "state"),
    [(True, None, "running"), (False, None, "interrupted"), (True, 0, "done"), (False, 3, "failed")],
)
def test_run_states(alive, code, state):
    assert run_state(alive=alive, code=code) == state


def test_a_torn_line_of_a_run_file_is_left_out(tmp_path):
    path = tmp_path / "r.run"
    path.write_text('{"step": "a"}\n"plain"\n{"step": "b')
    assert read_lines(path) == [{"step": "a"}, {"says": "plain"}]


def test_settings_come_from_file_and_flags_and_name_what_is_wrong(tmp_path):
    file = tmp_path / "e.toml"
    file.write_text('name = "alpha"\naddress = "127.0.0.2"\n')
    read = settings.read_settings(file, {"name": "beta", "control_port": None, "state": str(tmp_path)})
    assert (read.name, read.address, read.control_port) == ("beta", "127.0.0.2", 6320)
    file.write_text("control_port = 70000\n")
    with pytest.raises(SettingsUnreadable, match="control_port"):
        settings.read_settings(file, {})
    file.write_text("name = \n")
    with pytest.raises(SettingsUnreadable, match="line 1"):
        settings.read_settings(file, {})
    with pytest.raises(SettingsUnreadable, match="No such file"):
        settings.read_settings(tmp_path / "none.toml", {})


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("192.0.2.7", ("192.0.2.7", 6320)),
        ("alpha.example:7000", ("alpha.example", 7000)),
        ("2001:db8::1", ("2001:db8::1", 6320)),
        ("[2001:db8::1]:7000", ("2001:db8::1", 7000)),
    ],
)
def test_addresses_with_and_without_port(text, where):
    assert split_address(text) == where


@pytest.mark.parametrize(
    "document",
    [
        {"name": "x", "root": "a/b"},
        {"name": "x", "root": "/a/../b"},
        {"name": "", "root": "/a"},
        {"name": "a/b", "root": "/a"},
        {"name": "x" * 101, "root": "/a"},
        {"name": "x", "root": "/a\0b"},
    ],
)
def test_names_and_paths_have_limits(document):
    with pytest.raises(ValidationError):
        schema.ReplicationSet.model_validate(document)


def test_fingerprints_are_taken_with_colons_and_capitals():
    text = ":".join(["AB"] * 32)
    assert schema.Witness(address="192.0.2.1", fingerprint=text).fingerprint == "ab" * 32


@pytest.mark.parametrize("service", [{"name": "x"}, {"name": "x", "unit": "x", "start_command": ["/bin/x"]}])
def test_a_service_has_exactly_one_backend(service):
    with pytest.raises(ValidationError, match="either unit or start_command"):
        schema.Service.model_validate(service)


def test_sets_are_saved_by_generation(tmp_path):
    sets = ReplicationSets(tmp_path)
    first = sets.create(schema.ReplicationSet(name="x", root="/a"))
    assert sets.save(first).generation == 2
    with pytest.raises(Conflict, match="generation 1 was read, 2 is current"):
        sets.save(first)
    sets.in_use = lambda _: True
    with pytest.raises(Conflict, match="connected"):
        sets.delete("x")
    assert json.loads((tmp_path / "x.json").read_text())["generation"] == 2


def test_a_socket_whose_path_is_too_long_is_reached_all_the_same(tmp_path):
    deep = tmp_path / ("x" * 100) / ("y" * 100)
    deep.mkdir(parents=True)
    path = str(deep / "control.sock")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as caller:
        with socket_address(path) as where:
            listener.bind(where)
        listener.listen()
        with socket_address(path) as where:
            caller.connect(where)


class _Page:
    def __init__(self) -> None:
        self.released_sequence = 0
        self.committed_sequence = 100


class _Mounts:
    def __init__(self) -> None:
        self.state = _Page()

    def capture(self, _: str) -> _Mounts:
        return self

    def listed(self) -> list[object]:
        return []


def test_a_log_keeps_what_its_slowest_connection_has_not():
    mounts = _Mounts()
    releases, path = Releases(mounts), Path("/srv")
    releases.hold(path, "fast", lambda: 0)
    releases.hold(path, "slow", lambda: 0)
    releases.acknowledged(path, "fast", 50)
    assert mounts.state.released_sequence == 0
    releases.acknowledged(path, "slow", 20)
    assert mounts.state.released_sequence == 20
    releases.forget(path, "slow")
    assert mounts.state.released_sequence == 50


def test_tokens_may_be_made_by_several_threads(tmp_path):
    tokens = accounts.Tokens(tmp_path / "tokens.json")
    makers = [threading.Thread(target=tokens.create, args=(schema.TokenRequest(name=f"t{n}"),)) for n in range(8)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert len(accounts.Tokens(tmp_path / "tokens.json").listed()) == 8
