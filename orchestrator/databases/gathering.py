"""Log-ins of an instance with the hashes of their passwords: read where they are, for nobody but the seal."""

from __future__ import annotations

from orchestrator.databases import statements as ask
from orchestrator.databases.cells import hexed, text
from orchestrator.databases.facts import itself_and_databases
from orchestrator.databases.kept import KeptLogin, KeptLogins
from orchestrator.databases.logins import logins
from orchestrator.databases.session import Session
from orchestrator.model.sql import SqlInstance, SqlLogin

HASHES = (
    "SELECT p.name, CAST(LOGINPROPERTY(p.name, 'PasswordHash') AS varbinary(256)) AS password_hash "
    "FROM sys.server_principals p WHERE p.type = 'S'"
)


def gather(session: Session, now_s: float) -> KeptLogins:
    """All that can be carried to another server: neither sa nor the system's own.

    Raises:
        SqlError, TryAgain: it cannot be read.
    """
    itself, _ = itself_and_databases(session)
    hashes = hashes_of(session)
    found = listed(session)
    return KeptLogins(
        source=itself.server_name,
        machine=itself.machine,
        major=itself.major,
        gathered_at_s=now_s,
        logins=tuple(
            KeptLogin(one, hashes.get(one.name.lower(), "")) for one in found if not one.own_to(itself.machine)
        ),
        accounts=accounts_of(session, itself),
    )


def listed(session: Session) -> tuple[SqlLogin, ...]:
    """The log-ins with roles and permissions."""
    return logins(*(session.rows(part.statement) for part in (ask.PRINCIPALS, ask.ROLES, ask.PERMISSIONS)))


def hashes_of(session: Session) -> dict[str, str]:
    """The hash of each log-in of SQL Server by its name in lower case; secret."""
    return {text(row["name"]).lower(): hexed(row["password_hash"]) for row in session.rows(HASHES)}


def accounts_of(session: Session, itself: SqlInstance) -> tuple[str, ...]:
    """The accounts that its services run under, as far as it tells."""
    if itself.major < ask.SERVICES.since:
        return ()
    return tuple({text(row["service_account"]) for row in session.rows(ask.SERVICES.statement)} - {""})
