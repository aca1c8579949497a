"""All that an instance says of itself, as one value. What cannot be asked is a sentence in its ``problems``; the rest is as good as ever."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import msgspec

from orchestrator.databases import statements as ask
from orchestrator.databases.cells import flag, hexed, number, text
from orchestrator.databases.errors import SqlError
from orchestrator.databases.logins import logins
from orchestrator.databases.per_database import told_by_each
from orchestrator.databases.session import Row, Session
from orchestrator.model.outcomes import TryAgain
from orchestrator.model.sql import (
    DEFAULT_INSTANCE,
    SqlAsk,
    SqlCertificate,
    SqlConfiguration,
    SqlDatabase,
    SqlFile,
    SqlInstance,
    SqlJob,
    SqlLinked,
    SqlService,
)

PAGE_BYTES = 8192
_KINDS = {"ROWS": "rows", "LOG": "log", "FILESTREAM": "filestream", "FULLTEXT": "fulltext"}
_PROTOCOLS = ("Tcp", "Np", "Sm")


class Asked:
    """The session, and what did not answer in it."""

    def __init__(self, session: Session, major: int) -> None:
        self._session = session
        self.major = major
        self.problems: list[str] = []

    def rows(self, part: ask.Part) -> list[Row]:
        """A part; empty where the release has none, or with a problem noted."""
        if self.major < part.since:
            return []
        try:
            return self._session.rows(part.statement)
        except (SqlError, TryAgain) as error:
            self.problems.append(f"{part.name}: {error}")
            return []


def facts(session: Session, wanted: SqlAsk) -> SqlInstance:
    """Ask everything.

    Raises:
        SqlError, TryAgain: not even who it is could be asked.
    """
    (own,) = session.rows(ask.SELF)
    base = _itself(own)
    asked = Asked(session, base.major)
    databases = _databases(asked, base.hadr)
    told = told_by_each(session, databases, wanted.databases, base.major, asked.problems)
    return msgspec.structs.replace(
        base,
        **_line(asked),
        databases=tuple(msgspec.structs.replace(one, **told.get(one.name, {})) for one in databases),
        logins=logins(asked.rows(ask.PRINCIPALS), asked.rows(ask.ROLES), asked.rows(ask.PERMISSIONS)),
        services=tuple(_service(row) for row in asked.rows(ask.SERVICES)),
        jobs=tuple(_job(row) for row in asked.rows(ask.JOBS)),
        linked=tuple(_linked(row) for row in asked.rows(ask.LINKED)),
        certificates=tuple(_certificate(row) for row in asked.rows(ask.CERTIFICATES)),
        credentials=tuple(str(row["name"]) for row in asked.rows(ask.CREDENTIALS)),
        configurations=tuple(
            SqlConfiguration(str(row["name"]), int(row["value"] or 0), int(row["in_use"] or 0))
            for row in asked.rows(ask.CONFIGURATIONS)
        ),
        master_key=_count(asked.rows(ask.MASTER_KEY)) > 0,
        own_messages=_count(asked.rows(ask.MESSAGES)),
        problems=tuple(asked.problems),
    )


def itself_and_databases(session: Session) -> tuple[SqlInstance, list[SqlDatabase]]:
    """Who the instance is, and its databases; what could not be asked of them is in ``problems``.

    Raises:
        SqlError, TryAgain: it does not answer.
    """
    (own,) = session.rows(ask.SELF)
    base = _itself(own)
    asked = Asked(session, base.major)
    databases = _databases(asked, base.hadr)
    return msgspec.structs.replace(base, problems=tuple(asked.problems)), databases


def _itself(own: Row) -> SqlInstance:
    return SqlInstance(
        name=text(own["instance_name"]) or DEFAULT_INSTANCE,
        server_name=text(own["own_name"]) or text(own["server_name"]),
        machine=text(own["machine"]),
        version=text(own["version"]),
        level=text(own["level"]),
        edition=text(own["edition"]),
        engine_edition=number(own["engine_edition"]),
        collation=text(own["collation"]),
        clustered=flag(own["clustered"]),
        integrated_only=flag(own["integrated_only"]),
        hadr=flag(own["hadr"]),
        data_path=text(own["data_path"]),
        log_path=text(own["log_path"]),
        sysadmin=flag(own["sysadmin"]),
        login=text(own["login"]),
    )


def _line(asked: Asked) -> dict[str, object]:
    """How it is reached, what it runs on, and what its registry says of that."""
    connection = next(iter(asked.rows(ask.CONNECTION)), {})
    platform = next(iter(asked.rows(ask.PLATFORM)), {})
    registry = asked.rows(ask.REGISTRY)
    values = {(_leaf(row["registry_key"]), text(row["value_name"])): text(row["value_data"]) for row in registry}
    return {
        "auth_scheme": text(connection.get("auth_scheme")),
        "encrypted": flag(connection.get("encrypt_option")),
        "port": number(connection.get("local_tcp_port")) or number(values.get(("ipall", "TcpPort"))) or None,
        "port_dynamic": bool(values.get(("ipall", "TcpDynamicPorts"))) and not values.get(("ipall", "TcpPort")),
        "host_platform": text(platform.get("host_platform")),
        "protocols": tuple(word.lower() for word in _PROTOCOLS if values.get((word.lower(), "Enabled")) == "1"),
        "startup_parameters": tuple(
            value for (leaf, name), value in values.items() if leaf == "parameters" and name.startswith("SQLArg")
        ),
    }


def _leaf(key: object) -> str:
    return text(key).rpartition("\\")[2].lower()


def _databases(asked: Asked, hadr: bool) -> list[SqlDatabase]:  # noqa: FBT001  as the instance says
    rows = asked.rows(ask.databases(asked.major))
    names = {int(row["database_id"]): str(row["name"]) for row in rows}
    files = _files(asked.rows(ask.FILES), names)
    mirrored = {int(row["database_id"]) for row in asked.rows(ask.MIRRORING)}
    encryptors = {int(row["database_id"]): hexed(row["encryptor_thumbprint"]) for row in asked.rows(ask.KEYS)}
    groups = {str(row["database_name"]): str(row["group_name"]) for row in (asked.rows(ask.GROUPS) if hadr else ())}
    return [
        SqlDatabase(
            name=(name := str(row["name"])),
            id=(known := int(row["database_id"])),
            state=text(row["state_desc"]),
            recovery=text(row["recovery_model_desc"]),
            compatibility=number(row["compatibility_level"]),
            collation=text(row["collation_name"]),
            read_only=flag(row["is_read_only"]),
            owner=text(row["owner"]),
            owner_sid=hexed(row["owner_sid"]),
            published=flag(row["is_published"]) or flag(row["is_merge_published"]),
            subscribed=flag(row["is_subscribed"]),
            distributor=flag(row["is_distributor"]),
            encrypted=flag(row.get("is_encrypted")),
            encryptor=encryptors.get(known, ""),
            containment=text(row.get("containment_desc")) or "NONE",
            broker=flag(row["is_broker_enabled"]),
            trustworthy=flag(row["is_trustworthy_on"]),
            chaining=flag(row["is_db_chaining_on"]),
            snapshot_of=names.get(number(row["source_database_id"]), ""),
            mirrored=known in mirrored,
            availability_group=groups.get(name, ""),
            access=text(row["user_access_desc"]) or "MULTI_USER",
            files=tuple(files.get(known, ())),
        )
        for row in rows
    ]


def _files(rows: Iterable[Row], names: dict[int, str]) -> dict[int, list[SqlFile]]:
    found: dict[int, list[SqlFile]] = defaultdict(list)
    for row in rows:
        known = int(row["database_id"])
        found[known].append(
            SqlFile(
                database=names.get(known, ""),
                name=text(row["name"]),
                path=text(row["physical_name"]),
                kind=_KINDS.get(text(row["type_desc"]).upper(), "rows"),
                bytes=number(row["pages"]) * PAGE_BYTES,
                state=text(row["state_desc"]),
            )
        )
    return found


def _service(row: Row) -> SqlService:
    return SqlService(
        text(row["servicename"]),
        text(row["service_account"]),
        text(row["startup_type_desc"]),
        text(row["status_desc"]),
    )


def _job(row: Row) -> SqlJob:
    return SqlJob(text(row["name"]), flag(row["enabled"]), text(row["originating_server"]), text(row["owner"]))


def _linked(row: Row) -> SqlLinked:
    return SqlLinked(text(row["name"]), text(row["data_source"]), text(row["product"]), text(row["provider"]))


def _certificate(row: Row) -> SqlCertificate:
    sealed = text(row["pvt_key_encryption_type_desc"])
    return SqlCertificate(text(row["name"]), hexed(row["thumbprint"]), sealed not in {"", "NO_PRIVATE_KEY"})


def _count(rows: list[Row]) -> int:
    return number(rows[0]["there"]) if rows else 0
