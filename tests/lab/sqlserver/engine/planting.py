"""The lab's hand inside an instance: states that T-SQL reaches only with partners, keys or other editions.

Requests are JSON: ``{"do": "tell"}``, ``{"do": "set", "database": "x", "options": {...}}``, ``{"do": "add", "kind": "job", ...}`` and so on.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from tests.lab.sqlserver.engine.database import NDF, Database, now
from tests.lab.sqlserver.engine.databases import FileSpec

if TYPE_CHECKING:
    from tests.lab.sqlserver.engine.instance import Server

KINDS = {
    "job": 4,
    "linked": 1,
    "certificate": 1,
    "credential": 1,
    "endpoint": 1,
    "message": 1,
    "server_object": 1,
    "msdb_object": 4,
    "login": 1,
    "backup": 4,
    "key": 1,
}
MACHINE = {
    "clustered",
    "hadr",
    "fulltext",
    "dynamic_port",
    "tcp",
    "np",
    "LoginMode",
    "services",
    "virtual_name",
    "groups",
    "edition",
    "Hidden",
}


def _bytes(value: Any) -> Any:
    if isinstance(value, str) and value.startswith("0x"):
        return bytes.fromhex(value[2:])
    if isinstance(value, dict):
        return {key: _bytes(inner) for key, inner in value.items()}
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return "0x" + value.hex().upper()
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value


def _database(server: Server, request: Mapping[str, Any]) -> Database:
    found = server.databases.find(str(request["database"]))
    if found is None:
        raise ValueError(f"no database {request['database']}")
    return found


def _tell(server: Server, request: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": server.name, "machine": server.machine, "version": server.version, "server_name": server.server_name, "sessions": len(server.sessions), "stopping": server.stopping,
        "databases": {one.name: {"id": one.number, "state": one.state, "options": _plain(one.options), "files": _plain(one.files), "version": one.boot.get("version")} for one in server.databases.all()},
        "registry": server.registry(),
    }  # fmt: skip


def _set(server: Server, request: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a database: published, mirroring, availability_group, encrypted, encryptor, features, trustworthy, compatibility..."""
    database = _database(server, request)
    changes = {str(key): _bytes(value) for key, value in dict(request["options"]).items()}
    for key in changes:
        if key not in database.options and key not in {"compatibility", "collation", "snapshot_of", "broker_guid"}:
            raise ValueError(f"no option {key}")
    group = changes.get("availability_group")
    if isinstance(group, str):
        ids = {
            key: str(uuid.uuid5(uuid.NAMESPACE_OID, group + key)).upper()
            for key in ("group_id", "replica_id", "group_database_id")
        }
        changes["availability_group"] = {"name": group, **ids}
    if changes.get("mirroring") is True:
        changes["mirroring"] = {"role": "PRINCIPAL", "partner": "TCP://partner:5022"}
    with database.lock_for_startup():
        database.catalogue.update("options", 1, **changes)
    _remember(server, database)
    return {}


def _remember(server: Server, database: Database) -> None:
    with server.master.lock_for_startup():
        server.catalogue.put(
            "database",
            database.number,
            {
                **(server.catalogue.get("database", database.number) or {}),
                "options": database.options,
                "boot": database.boot,
                "files": database.files,
            },
        )


def _boot(server: Server, request: Mapping[str, Any]) -> dict[str, Any]:
    """The boot page: version, owner_sid, guid."""
    database = _database(server, request)
    with database.lock_for_startup():
        database.catalogue.update(
            "boot", 1, **{str(key): _bytes(value) for key, value in dict(request["boot"]).items()}
        )
    _remember(server, database)
    return {}


def _add(server: Server, request: Mapping[str, Any]) -> dict[str, Any]:
    """A job, linked server, certificate, credential, endpoint, message... as its catalogue keeps it."""
    kind = str(request["kind"])
    if kind not in KINDS:
        raise ValueError(f"no kind {kind}")
    home = server.databases.by_number[KINDS[kind]]
    given = {str(key): _bytes(value) for key, value in request.items() if key not in {"do", "kind", "id"}}
    defaults: dict[str, dict[str, Any]] = {
        "job": {"enabled": True, "owner_sid": b"\x01", "server": None, "steps": []}, "linked": {"product": "", "provider": "SQLNCLI", "linked": True, "modified": now(), "logins": []},
        "certificate": {"thumbprint": os.urandom(20), "has_key": True, "subject": given.get("name", "")}, "endpoint": {"protocol": "TCP", "type": "DATABASE_MIRRORING", "state": "STARTED", "port": 5022},
        "message": {"severity": 16, "text": ""}, "login": {},
    }  # fmt: skip
    document = {"created": now(), **defaults.get(kind, {}), **given}
    if kind == "login":
        from tests.lab.sqlserver.engine.fresh import login

        document = login(
            given["name"],
            given.get("type", "U"),
            given.get("sid") or server.windows_sid(given["name"]) or os.urandom(16),
            **{key: value for key, value in given.items() if key not in {"name", "type", "sid"}},
        )
    with home.lock_for_startup():
        if request.get("id") is not None:
            return {"id": home.catalogue.put(kind, int(request["id"]), document)}
        first = {"message": 50001, "login": 256, "certificate": 256, "endpoint": 65536}.get(kind, 1)
        return {"id": home.catalogue.add(kind, document, first), "document": _plain(document)}


def _remove(server: Server, request: Mapping[str, Any]) -> dict[str, Any]:
    home = server.databases.by_number[KINDS[str(request["kind"])]]
    found = home.catalogue.named(str(request["kind"]), str(request["name"]))
    if found is None:
        raise ValueError(f"no {request['kind']} {request['name']}")
    with home.lock_for_startup():
        home.catalogue.drop(str(request["kind"]), found[0])
    return {}


def _change(server: Server, request: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a planted or real thing: {"do": "change", "kind": "linked", "name": "X", "fields": {...}}."""
    home = server.databases.by_number[KINDS[str(request["kind"])]]
    found = home.catalogue.named(str(request["kind"]), str(request["name"]))
    if found is None:
        raise ValueError(f"no {request['kind']} {request['name']}")
    with home.lock_for_startup():
        home.catalogue.update(
            str(request["kind"]),
            found[0],
            **{str(key): _bytes(value) for key, value in dict(request["fields"]).items()},
        )
    return {}


def _machine(server: Server, request: Mapping[str, Any]) -> dict[str, Any]:
    """What belongs to the machine: clustered, hadr, LoginMode, services, dynamic_port, tcp, np."""
    values = dict(request["values"])
    unknown = set(values) - MACHINE
    if unknown:
        raise ValueError(f"no values {sorted(unknown)}")
    server.set_registry(**values)
    if "LoginMode" in values and request.get("now"):
        server.integrated_only = int(values["LoginMode"]) == 1
    return {}


def _server(server: Server, request: Mapping[str, Any]) -> dict[str, Any]:
    """Collation and @@SERVERNAME of the running instance."""
    with server.master.lock_for_startup():
        if "collation" in request:
            server.catalogue.update("server", 1, collation=str(request["collation"]))
            server.collation = str(request["collation"])
        if "server_name" in request:
            local = server.catalogue.get("linked", 0) or {}
            server.catalogue.put("linked", 0, {**local, "name": str(request["server_name"])})
            server.server_name = str(request["server_name"])
    return {}


def _configuration(server: Server, request: Mapping[str, Any]) -> dict[str, Any]:
    found = server.catalogue.named("configuration", str(request["name"]))
    if found is None:
        raise ValueError(f"no configuration {request['name']}")
    with server.master.lock_for_startup():
        server.catalogue.update(
            "configuration", found[0], value=int(request["value"]), in_use=int(request.get("in_use", request["value"]))
        )
    return {}


def _secondary(server: Server, request: Mapping[str, Any]) -> dict[str, Any]:
    """A second data file (.ndf) of a database."""
    database = _database(server, request)
    path = str(request["path"])
    server.volumes.real(path).write_bytes(NDF + str(database.boot["guid"]).encode() + b"\n" + bytes(4096))
    with database.lock_for_startup():
        database.catalogue.add(
            "file", {"type": str(request.get("type", "ROWS")), "name": str(request["name"]), "path": path}, 3
        )
    _remember(server, database)
    return {}


def _many(server: Server, request: Mapping[str, Any]) -> dict[str, Any]:
    """Many databases at once, the same in each: {"do": "many", "count": 1000, "prefix": "db"}."""
    from tests.lab.sqlserver.engine.accounts import SA

    made = []
    for at in range(int(request["count"])):
        name = f"{request.get('prefix', 'db')}{at:04}"
        path = server.volumes.join(server.data_path, f"{name}.mdf")
        with server.databases.guard:
            database = server.databases._make(server.databases._new_number(), name, path)
            database.create(server.databases._boot(SA), server.databases._options(), [])
            server.databases.by_number[database.number] = database
        made.append(database)
    with server.master.lock_for_startup():
        for database in made:
            server.catalogue.put("database", database.number, server.databases._entry(database))
    return {"made": len(made)}


def _state(server: Server, request: Mapping[str, Any]) -> dict[str, Any]:
    """A state that is only shown: RESTORING, SUSPECT, RECOVERY_PENDING. The files are let go."""
    database = _database(server, request)
    if str(request["state"]) not in {"RESTORING", "SUSPECT", "RECOVERY_PENDING"}:
        raise ValueError(f"no state {request['state']}")
    database.close()
    database.state = str(request["state"])
    return {}


DEEDS: dict[str, Callable[[Server, Mapping[str, Any]], dict[str, Any]]] = {
    "tell": _tell, "set": _set, "boot": _boot, "add": _add, "remove": _remove, "change": _change, "machine": _machine, "server": _server, "configuration": _configuration,
    "secondary": _secondary, "many": _many, "state": _state,
}  # fmt: skip


def lab(server: Server, request: Mapping[str, Any]) -> dict[str, Any]:
    """One deed. ValueError says what is wrong."""
    deed = DEEDS.get(str(request.get("do")))
    if deed is None:
        raise ValueError(f"no deed {request.get('do')}: one of {', '.join(DEEDS)}")
    try:
        return {"done": True, **deed(server, request)}
    except KeyError as error:
        raise ValueError(f"{request.get('do')} needs {error}") from error


__all__ = ["FileSpec", "lab"]
