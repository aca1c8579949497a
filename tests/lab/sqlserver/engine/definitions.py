"""CREATE, ALTER, DROP and the like: which definition it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tests.lab.sqlserver.engine import altering, modules, tables
from tests.lab.sqlserver.engine.defining import databases, keys, logins, owners, principals, roles, server_roles
from tests.lab.sqlserver.engine.port import Event
from tests.lab.sqlserver.engine.reader import Reader
from tests.lab.sqlserver.engine.running import Frame, handles
from tests.lab.sqlserver.engine.session import Session
from tests.lab.sqlserver.engine.statements import Simple, near

Definer = Callable[..., Iterator[Event]]
CREATES: dict[tuple[str, ...], Definer] = {
    ("TABLE",): tables.create_table, ("DATABASE",): databases.create, ("LOGIN",): logins.create_login, ("USER",): principals.create_user, ("ROLE",): roles.create_role,
    ("SERVER", "ROLE"): server_roles.create_server_role, ("SCHEMA",): roles.create_schema, ("MASTER", "KEY"): keys.create_master_key, ("CERTIFICATE",): keys.create_certificate,
    ("CREDENTIAL",): keys.create_credential, ("DATABASE", "ENCRYPTION", "KEY"): keys.create_encryption_key,
}  # fmt: skip
ALTERS: dict[tuple[str, ...], Definer] = {
    ("TABLE",): altering.alter_table, ("DATABASE",): databases.alter, ("LOGIN",): logins.alter_login, ("USER",): principals.alter_user, ("ROLE",): roles.alter_role,
    ("SERVER", "ROLE"): server_roles.alter_server_role, ("AUTHORIZATION",): owners.alter_authorization, ("MASTER", "KEY"): keys.alter_master_key, ("SERVICE", "MASTER", "KEY"): keys.alter_service_master_key,
}  # fmt: skip
DROPS: dict[tuple[str, ...], Definer] = {
    ("TABLE",): tables.drop_table, ("INDEX",): tables.drop_index, ("DATABASE",): databases.drop, ("LOGIN",): logins.drop_login, ("USER",): principals.drop_user, ("ROLE",): roles.drop_role,
    ("SERVER", "ROLE"): server_roles.drop_server_role, ("SCHEMA",): roles.drop_schema, ("VIEW",): modules.drop_view, ("PROCEDURE",): modules.drop_procedure, ("PROC",): modules.drop_procedure,
    ("MASTER", "KEY"): keys.drop_master_key, ("CERTIFICATE",): keys.drop_certificate, ("CREDENTIAL",): keys.drop_credential,
}  # fmt: skip


def _dispatch(
    known: dict[tuple[str, ...], Definer], session: Session, frame: Frame, statement: Simple
) -> Iterator[Event]:
    reader = Reader(statement.words)
    reader.at = 1
    for words in sorted(known, key=len, reverse=True):
        if reader.take(*words):
            return known[words](session, frame, reader)
    raise near(reader.here if not reader.ended else statement.words[-1])


@handles("CREATE")
def create(session: Session, frame: Frame, statement: Simple) -> Iterator[Event]:
    """CREATE ..."""
    reader = Reader(statement.words)
    reader.at = 1
    if modules.is_module(reader):
        return modules.create(session, frame, statement)
    unique = reader.take("UNIQUE")
    clustered = reader.take("CLUSTERED")
    plain = reader.take("NONCLUSTERED")
    if reader.take("INDEX"):
        return tables.create_index(session, frame, reader, unique=unique, clustered=clustered)
    if unique or clustered or plain:
        raise reader.unexpected()
    return _dispatch(CREATES, session, frame, statement)


@handles("ALTER")
def alter(session: Session, frame: Frame, statement: Simple) -> Iterator[Event]:
    """ALTER ..."""
    reader = Reader(statement.words)
    reader.at = 1
    if modules.is_module(reader):
        return modules.create(session, frame, statement)
    return _dispatch(ALTERS, session, frame, statement)


@handles("DROP")
def drop(session: Session, frame: Frame, statement: Simple) -> Iterator[Event]:
    """DROP ..."""
    return _dispatch(DROPS, session, frame, statement)


@handles("OPEN", "CLOSE")
def open_(session: Session, frame: Frame, statement: Simple) -> Iterator[Event]:
    """OPEN MASTER KEY."""
    reader = Reader(statement.words)
    reader.at = 1
    reader.need("MASTER", "KEY")
    return keys.open_master_key(session, frame, reader)


__all__: list[Any] = []
