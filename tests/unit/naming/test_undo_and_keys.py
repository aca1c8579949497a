"""The undo file survives, refuses damage, and keeps the first before; key files are tight."""

from __future__ import annotations

import json

import pytest

from orchestrator.naming.errors import KeyFileUnusable, UndoUnusable
from orchestrator.naming.keys import Key, read_key
from orchestrator.naming.undo import Phase, Undo, held, load, retire, save
from orchestrator.naming.values import Change, NameServer, RecordSet

NS = NameServer("10.0.0.5", 5353)


def rr(*data: str, ttl=60):
    return RecordSet("lab.example.", "Alpha.lab.example.", "A", ttl, data)


UNDO = Undo(
    "failover", "alpha.lab.example.", (("10.0.0.1", "10.0.0.2"),), Phase.OUT, (Change(NS, rr("10.0.0.1"), None),)
)


def test_saved_and_loaded(tmp_path):
    path = tmp_path / "deep" / "undo.json"
    save(path, UNDO)
    assert load(path) == UNDO
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text())["changes"][0]["at"]["server"] == "10.0.0.5:5353"


def test_absent_is_none(tmp_path):
    assert load(tmp_path / "undo.json") is None


@pytest.mark.parametrize("text", ["", "{}", '{"version": 9}', "[1]"])
def test_damage_is_told(tmp_path, text):
    (tmp_path / "undo.json").write_text(text)
    with pytest.raises(UndoUnusable):
        load(tmp_path / "undo.json")


def test_the_first_before_is_kept():
    again = UNDO.merged([Change(NS, rr("10.0.0.9"), rr("10.0.0.2"))])
    assert again.changes == (Change(NS, rr("10.0.0.1"), rr("10.0.0.2")),)


def test_what_was_put_back_begins_afresh():
    back = Undo("failover", "a", (), Phase.BACK, (Change(NS, rr("10.0.0.1"), rr("10.0.0.2")),))
    again = back.merged([Change(NS, rr("10.0.0.1", ttl=300), rr("10.0.0.2"))])
    assert again.phase is Phase.OUT
    assert again.changes[0].before == rr("10.0.0.1", ttl=300)


def test_a_finished_undo_is_kept_beside(tmp_path):
    path = tmp_path / "undo.json"
    save(path, UNDO)
    assert load(retire(path)) == UNDO
    assert load(path) is None


def test_two_runs_are_kept_apart(tmp_path):
    path = tmp_path / "undo.json"
    with held(path), pytest.raises(UndoUnusable, match="another run"), held(path, wait_s=0.1):
        pass


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no key statement"),
        ('key "a" { algorithm hmac-sha256; };', "lacks secret"),
        ('key "a" { algorithm hmac-sha7; secret "YQ=="; };', "hmac-sha7 is not known"),
        ('key "a" { algorithm hmac-sha256; secret "***"; };', "malformed"),
        ('key "a" { algorithm hmac-sha256; secret "YQ=="; }; key "b" { };', "holds 2 keys"),
        ('{"name": "a"', "not JSON (line 1"),
    ],
)
def test_bad_key_files(tmp_path, text, says):
    path = tmp_path / "key"
    path.touch(0o600)
    path.write_text(text)
    with pytest.raises(KeyFileUnusable) as refused:
        read_key(path)
    assert says in str(refused.value)


def test_a_key_file_with_comments(tmp_path):
    path = tmp_path / "key"
    path.touch(0o600)
    path.write_text('# made by hand\n// key "x" { };\nkey a.key { algorithm "HMAC-SHA512"; secret YQ==; };\n')
    assert read_key(path) == Key("a.key", "hmac-sha512", "YQ==")
    assert "YQ" not in repr(read_key(path))
