"""An instance that answers from what it was given: rows by the statement that asks for them, and a list of what was run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from orchestrator.databases import statements as ask
from orchestrator.databases.errors import SqlNotAllowed
from orchestrator.databases.session import STATEMENT_TIMEOUT_S

OWN = {
    "own_name": "ALPHA", "login": "sa", "sysadmin": 1, "machine": "ALPHA", "server_name": "ALPHA", "instance_name": None,
    "version": "15.0.4322.2", "level": "RTM", "edition": "Developer Edition (64-bit)", "engine_edition": "3",
    "collation": "SQL_Latin1_General_CP1_CI_AS", "clustered": "0", "integrated_only": "0", "hadr": "0",
    "data_path": "/var/opt/mssql/data/", "log_path": "/var/opt/mssql/data/",
}  # fmt: skip
DATABASE = {
    "state_desc": "ONLINE", "recovery_model_desc": "FULL", "compatibility_level": 150, "collation_name": "C", "is_read_only": False,
    "owner_sid": b"\x01", "owner": "sa", "is_published": False, "is_subscribed": False, "is_merge_published": False,
    "is_distributor": False, "is_broker_enabled": True, "is_trustworthy_on": False, "is_db_chaining_on": False,
    "source_database_id": None, "user_access_desc": "MULTI_USER", "is_encrypted": False, "containment_desc": "NONE",
}  # fmt: skip


def database(name: str, number: int, **more: Any) -> dict[str, Any]:
    return DATABASE | {"name": name, "database_id": number} | more


class Canned:
    """A session. ``answers`` maps a statement's beginning to rows, or to what makes them; longer beginnings come first."""

    label = "ALPHA"

    def __init__(self, answers: Mapping[str, Any] | None = None, **own: Any) -> None:
        major = int(str((OWN | own)["version"]).partition(".")[0])
        self._answers = {ask.SELF: [OWN | own], ask.databases(major).statement: []} | dict(answers or {})
        self.asked: list[str] = []
        self.did: list[str] = []
        self.limits_s: list[int] = []

    def rows(self, statement: str, *_values: object) -> list[Mapping[str, Any]]:
        self.asked.append(statement)
        for begins in sorted(self._answers, key=len, reverse=True):
            if statement.startswith(begins):
                answer = self._answers[begins]
                made: list[Mapping[str, Any]] = answer(statement) if isinstance(answer, Callable) else answer  # type: ignore[arg-type]
                return made
        return []

    def run(self, statement: str, *_values: object, timeout_s: int = STATEMENT_TIMEOUT_S) -> None:
        self.did.append(statement)
        self.limits_s.append(timeout_s)


def refused(_statement: str) -> list[Mapping[str, Any]]:
    raise SqlNotAllowed(server="ALPHA", who="app", reason="VIEW SERVER STATE permission was denied (Msg 300)")
