"""Remembered passwords: sealed for one account and server, in a keyring or by a key file, cleared without a trace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.store.credentials import CredentialCache
from orchestrator.store.errors import CredentialUnusable

SECRET = "Grüße an ☎ 7"


def cache(home: Path, keyring: object | None = None) -> CredentialCache:
    return CredentialCache(home, lambda: 1000.0, lambda: keyring)


class Ring:
    """A keyring backend in memory; ``locked`` is what a locked one does."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], str] = {}
        self.locked = False

    def get_password(self, service: str, user: str) -> str | None:
        if self.locked:
            raise RuntimeError
        return self.held.get((service, user))

    def set_password(self, service: str, user: str, password: str) -> None:
        self.held[service, user] = password

    def delete_password(self, service: str, user: str) -> None:
        del self.held[service, user]


@pytest.mark.covers("AM-02")
def test_a_password_is_sealed_and_comes_back(tmp_path: Path) -> None:
    cache(tmp_path).remember("LAB\\ada", "", SECRET)
    assert cache(tmp_path).password("LAB\\ada", "alpha") == SECRET
    for path in tmp_path.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
        assert SECRET.encode() not in path.read_bytes()
    assert SECRET not in repr(cache(tmp_path).listed())


def test_the_one_for_the_server_counts_first(tmp_path: Path) -> None:
    held = cache(tmp_path)
    held.remember("ada", "", "everywhere")
    held.remember("ada", "alpha", "at alpha")
    held.remember("ada", "alpha", "at alpha, newer")
    assert [held.password("ada", server) for server in ("alpha", "ALPHA", "beta")] == ["at alpha, newer"] * 2 + [
        "everywhere"
    ]


@pytest.mark.covers("AM-02")
def test_cleared_is_gone_and_the_key_goes_with_the_last(tmp_path: Path) -> None:
    held = cache(tmp_path)
    held.remember("ada", "alpha", "one")
    held.remember("bo@lab.example", "", "two")
    assert [one.account for one in held.clear("ada")] == ["ada"]
    with pytest.raises(CredentialUnusable, match="none is remembered for alpha"):
        held.password("ada", "alpha")
    assert held.password("bo@lab.example", "alpha") == "two"
    held.clear()
    assert list(tmp_path.iterdir()) == []


def test_the_remedy_can_be_pasted(tmp_path: Path) -> None:
    with pytest.raises(CredentialUnusable) as told:
        cache(tmp_path).password("LAB\\ada", "alpha")
    assert told.value.hint == "dtam credentials set 'LAB\\ada' --server alpha"


def test_a_seal_is_for_its_own_account_only(tmp_path: Path) -> None:
    held = cache(tmp_path)
    held.remember("ada", "", "hers")
    held.remember("mallory", "", "his")
    path = tmp_path / "credentials.json"
    kept = json.loads(path.read_text())
    one, other = kept["credentials"]
    one["sealed"], other["sealed"] = other["sealed"], one["sealed"]
    path.write_text(json.dumps(kept))
    with pytest.raises(CredentialUnusable, match="sealed with another key, or is damaged"):
        held.password("mallory", "alpha")


@pytest.mark.parametrize("damage", ["loose", "gone", "torn"])
def test_what_cannot_be_trusted_is_said(tmp_path: Path, damage: str) -> None:
    cache(tmp_path).remember("ada", "", SECRET)
    key, why = tmp_path / "credentials.key", "not this user's alone"
    if damage == "loose":
        key.chmod(0o640)
    elif damage == "gone":
        key.unlink()
        why = "not in the file any more"
    else:
        (tmp_path / "credentials.json").write_text('{"key": "fi')
        why = "it is damaged"
    with pytest.raises(CredentialUnusable) as told:
        cache(tmp_path).password("ada", "alpha")
    assert why in str(told.value)
    assert SECRET not in f"{told.value}{told.value.hint}"


@pytest.mark.covers("AM-02")
def test_with_a_keyring_no_key_lies_in_a_file(tmp_path: Path) -> None:
    ring = Ring()
    held = cache(tmp_path, ring)
    held.remember("ada", "", SECRET)
    assert [path.name for path in tmp_path.iterdir()] == ["credentials.json"]
    assert (held.password("ada", "alpha"), held.listed()[1]) == (SECRET, "keyring")
    ring.locked = True
    with pytest.raises(CredentialUnusable, match="the keyring does not open"):
        held.password("ada", "alpha")
    with pytest.raises(CredentialUnusable, match="a keyring that is not there now"):
        cache(tmp_path).password("ada", "alpha")
    ring.locked = False
    held.clear()
    assert ring.held == {}


def test_a_key_file_that_a_power_cut_left_empty_is_filled(tmp_path: Path) -> None:
    (tmp_path / "credentials.key").touch(mode=0o600)
    cache(tmp_path).remember("ada", "", SECRET)
    assert cache(tmp_path).password("ada", "alpha") == SECRET


def test_a_key_file_that_holds_no_key_is_told(tmp_path: Path) -> None:
    cache(tmp_path).remember("ada", "", SECRET)
    (tmp_path / "credentials.key").write_bytes(b"short")
    for deed in (lambda: cache(tmp_path).remember("ben", "", SECRET), lambda: cache(tmp_path).password("ada", "alpha")):
        with pytest.raises(CredentialUnusable, match="holds no key"):
            deed()


def test_a_cache_that_is_no_text_is_told(tmp_path: Path) -> None:
    cache(tmp_path).remember("ada", "", SECRET)
    path = tmp_path / "credentials.json"
    path.write_bytes(path.read_bytes().replace(b"ada", b"\xff\xff\xff"))
    with pytest.raises(CredentialUnusable, match="it is damaged"):
        cache(tmp_path).password("ada", "alpha")
