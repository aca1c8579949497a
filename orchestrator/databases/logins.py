"""Log-ins as the catalogue lists them: principals, their roles and what they were granted, put together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from orchestrator.databases.cells import flag, hexed, number, text
from orchestrator.databases.session import Row
from orchestrator.model.sql import SqlLogin

_KINDS = {"S": "sql", "U": "user", "G": "group"}
_GRANTS = {"GRANT": "GRANT {}", "GRANT_WITH_GRANT_OPTION": "GRANT {}", "DENY": "DENY {}"}
WITH_GRANT = "GRANT_WITH_GRANT_OPTION"
GRANTABLE = " WITH GRANT OPTION"


def logins(principals: Iterable[Row], roles: Iterable[Row], permissions: Iterable[Row]) -> tuple[SqlLogin, ...]:
    """All of them, by name."""
    members, granted = _by(roles, "member_principal_id"), _by(permissions, "grantee_principal_id")
    found = [
        SqlLogin(
            name=text(row["name"]),
            kind=_KINDS.get(text(row["type"]), "sql"),
            sid=hexed(row["sid"]),
            disabled=flag(row["is_disabled"]),
            default_database=text(row["default_database_name"]) or "master",
            default_language=text(row["default_language_name"]),
            policy=flag(row["is_policy_checked"]),
            expiration=flag(row["is_expiration_checked"]),
            roles=tuple(sorted(text(one["role_name"]) for one in members[number(row["principal_id"])])),
            permissions=tuple(sorted(_permission(one) for one in granted[number(row["principal_id"])])),
        )
        for row in principals
    ]
    return tuple(sorted(found, key=lambda one: one.name.lower()))


def _by(rows: Iterable[Row], column: str) -> defaultdict[int, list[Row]]:
    found: defaultdict[int, list[Row]] = defaultdict(list)
    for row in rows:
        found[number(row[column])].append(row)
    return found


def _permission(row: Row) -> str:
    """What was granted, as a statement begins: ``GRANT VIEW SERVER STATE``, and whether it may be passed on."""
    state = text(row["state_desc"])
    return _GRANTS.get(state, "GRANT {}").format(text(row["permission_name"])) + (
        GRANTABLE if state == WITH_GRANT else ""
    )
