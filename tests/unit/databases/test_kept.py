"""Log-ins that are kept: sealed, 0600, opened by their key and for their instance only."""

from __future__ import annotations

import stat

import pytest

from orchestrator.databases.errors import KeptLoginsUnusable
from orchestrator.databases.kept import (
    KeptLogin,
    KeptLogins,
    forget,
    keep,
    kept_at_s,
    kept_logins,
    remember_check,
    remembered_checks,
)
from orchestrator.model.sql import SqlLogin

HASH = "0x0200ABCDEF"
KEPT = KeptLogins("ALPHA", "ALPHA", 15, 1000.0, (KeptLogin(SqlLogin("app", sid="0x0102"), HASH),))


@pytest.mark.covers("SQL-02")
def test_what_is_kept_is_sealed_and_opens_again(tmp_path) -> None:
    folder = tmp_path / "sales"
    keep(folder, "MSSQLSERVER", KEPT)
    assert kept_logins(folder, "mssqlserver") == KEPT
    assert kept_at_s(folder, "MSSQLSERVER") is not None
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert HASH.encode() not in path.read_bytes()
        assert b"app" not in path.read_bytes()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_hash_is_in_no_text_of_a_value() -> None:
    assert HASH not in repr(KEPT)


@pytest.mark.parametrize("spoil", ["key", "seal", "readable", "gone", "other"])
def test_what_does_not_open_is_said(tmp_path, spoil: str) -> None:
    keep(tmp_path, "A", KEPT)
    key, sealed = tmp_path / "logins.key", tmp_path / "A.logins"
    match spoil:
        case "key":
            key.write_bytes(bytes(32))
        case "seal":
            whole = sealed.read_bytes()
            sealed.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        case "readable":
            key.chmod(0o644)
        case "gone":
            key.unlink()
        case "other":
            sealed.rename(tmp_path / "B.logins")
    with pytest.raises(KeptLoginsUnusable) as refused:
        kept_logins(tmp_path, "B" if spoil == "other" else "A")
    assert "keep-logins" in refused.value.hint


def test_the_key_goes_with_the_last(tmp_path) -> None:
    keep(tmp_path, "A", KEPT)
    keep(tmp_path, "B", KEPT)
    forget(tmp_path, "A")
    assert kept_logins(tmp_path, "A") is None
    assert kept_logins(tmp_path, "B") == KEPT
    forget(tmp_path, "B")
    assert list(tmp_path.iterdir()) == []
    assert kept_at_s(tmp_path, "B") is None


def test_checks_are_remembered_by_database(tmp_path) -> None:
    remember_check(tmp_path, "A", "Sales", 5.0)
    remember_check(tmp_path, "A", "ops", 7.0)
    assert remembered_checks(tmp_path, "A") == {"sales": 5.0, "ops": 7.0}
    assert remembered_checks(tmp_path, "B") == {}
