"""Master keys, certificates, credentials: as far as a failover meets them. Nothing is really encrypted."""

from __future__ import annotations

import hashlib
import json
import secrets
import uuid
from collections.abc import Iterator

from tests.lab.sqlserver.engine import security
from tests.lab.sqlserver.engine.catalogue import Document
from tests.lab.sqlserver.engine.database import now
from tests.lab.sqlserver.engine.messages import fail
from tests.lab.sqlserver.engine.paths import NoSuchVolume
from tests.lab.sqlserver.engine.port import Done, Event, SqlFailure
from tests.lab.sqlserver.engine.reader import Reader
from tests.lab.sqlserver.engine.running import Frame
from tests.lab.sqlserver.engine.session import Session

MASTER_KEY = 101


def _owner(session: Session) -> None:
    if not security.is_owner(session, session.current):
        raise fail(15247)


def _digest(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()


def create_master_key(session: Session, frame: Frame, reader: Reader) -> Iterator[Event]:
    """CREATE MASTER KEY ENCRYPTION BY PASSWORD = '...'."""
    reader.need("ENCRYPTION", "BY", "PASSWORD", "=")
    password = reader.text()
    reader.finish()
    _owner(session)
    if session.current.catalogue.get("key", MASTER_KEY) is not None:
        raise fail(15578)
    with session.changing(session.current) as contents:
        contents.put(
            "key",
            MASTER_KEY,
            {
                "name": "##MS_DatabaseMasterKey##",
                "created": now(),
                "guid": str(uuid.uuid4()).upper(),
                "password": _digest(password),
                "by_server": _smk(session),
            },
        )
        contents.update("options", 1, master_key_by_server=True)
    session.instance.databases.remember(session, session.current)
    yield Done(None, "CREATE MASTER KEY")


def _smk(session: Session) -> str:
    """What the service master key of this installation is: with the machine and the account it changes."""
    key = session.instance.catalogue.get("key", 102) or {}
    return f"{key.get('made_on')}/{key.get('account')}/{key.get('created')}"


def open_master_key(session: Session, frame: Frame, reader: Reader) -> Iterator[Event]:
    """OPEN MASTER KEY DECRYPTION BY PASSWORD = '...', CLOSE MASTER KEY."""
    key = session.current.catalogue.get("key", MASTER_KEY)
    if key is None:
        raise SqlFailure(15581, fail(15581).message, state=7)
    if reader.take("DECRYPTION", "BY", "PASSWORD", "="):
        if _digest(reader.text()) != key["password"]:
            raise SqlFailure(15313, "The key is not encrypted using the specified decryptor.")
        session.options["open_key"] = session.current.number
    reader.finish()
    yield Done(None, "OPEN MASTER KEY")


def alter_master_key(session: Session, frame: Frame, reader: Reader) -> Iterator[Event]:
    """ALTER MASTER KEY ADD ENCRYPTION BY SERVICE MASTER KEY."""
    key = session.current.catalogue.get("key", MASTER_KEY)
    if key is None:
        raise SqlFailure(15581, fail(15581).message, state=7)
    adding = reader.take("ADD")
    if not adding:
        reader.need("DROP")
    reader.need("ENCRYPTION", "BY", "SERVICE", "MASTER", "KEY")
    reader.finish()
    _owner(session)
    if adding and key["by_server"] != _smk(session) and session.options.get("open_key") != session.current.number:
        raise SqlFailure(15581, fail(15581).message, state=3)
    with session.changing(session.current) as contents:
        contents.update("key", MASTER_KEY, by_server=_smk(session) if adding else "")
        contents.update("options", 1, master_key_by_server=adding)
    session.instance.databases.remember(session, session.current)
    yield Done(None, "ALTER MASTER KEY")


def alter_service_master_key(session: Session, frame: Frame, reader: Reader) -> Iterator[Event]:
    """ALTER SERVICE MASTER KEY [FORCE] REGENERATE."""
    reader.take("FORCE")
    reader.need("REGENERATE")
    reader.finish()
    security.require(session, "CONTROL SERVER")
    with session.changing(session.instance.master) as contents:
        contents.put(
            "key",
            102,
            {
                "name": "##MS_ServiceMasterKey##",
                "made_on": session.instance.machine,
                "account": session.instance.service_account,
                "created": now(),
            },
        )
    yield Done(None, "ALTER SERVICE MASTER KEY")


def drop_master_key(session: Session, frame: Frame, reader: Reader) -> Iterator[Event]:
    """DROP MASTER KEY."""
    reader.finish()
    _owner(session)
    if session.current.catalogue.get("key", MASTER_KEY) is None:
        raise fail(15151, "drop", "symmetric key", "##MS_DatabaseMasterKey##")
    with session.changing(session.current) as contents:
        contents.drop("key", MASTER_KEY)
    yield Done(None, "DROP MASTER KEY")


def create_certificate(session: Session, frame: Frame, reader: Reader) -> Iterator[Event]:
    """CREATE CERTIFICATE name WITH SUBJECT = '...' | FROM FILE = '...' [WITH PRIVATE KEY (FILE = ..., DECRYPTION BY PASSWORD = ...)]."""
    name = reader.name()
    if reader.take("FROM", "FILE", "="):
        made = _from_file(session, reader)
    else:
        if reader.take("ENCRYPTION", "BY", "PASSWORD", "="):
            reader.text()
        reader.need("WITH", "SUBJECT", "=")
        made = {"subject": reader.text(), "thumbprint": secrets.token_bytes(20), "has_key": True}
        while reader.take(","):
            reader.name()
            reader.need("=")
            reader.text()
    reader.finish()
    _owner(session)
    if session.current.catalogue.named("certificate", name):
        raise SqlFailure(
            15232,
            f"A certificate with name '{name}' already exists or this certificate already has been added to the database.",
        )
    if any(one["thumbprint"] == made["thumbprint"] for _, one in session.current.catalogue.all("certificate")):
        raise SqlFailure(
            15232,
            f"A certificate with name '{name}' already exists or this certificate already has been added to the database.",
        )
    if made["has_key"] and session.current.catalogue.get("key", MASTER_KEY) is None:
        raise fail(15581, state=6)
    with session.changing(session.current) as contents:
        contents.add("certificate", {"name": name, **made}, 256)
    yield Done(None, "CREATE CERTIFICATE")


def _from_file(session: Session, reader: Reader) -> Document:
    path = reader.text()
    key_file = password = ""
    if reader.take("WITH", "PRIVATE", "KEY"):
        inner = Reader(reader.group())
        while not inner.ended:
            if inner.take("FILE", "="):
                key_file = inner.text()
            elif inner.take("DECRYPTION", "BY", "PASSWORD", "=") or inner.take("ENCRYPTION", "BY", "PASSWORD", "="):
                password = password or inner.text()
            else:
                raise inner.unexpected()
            inner.take(",")
    found = _read_json(session, path)
    if key_file and _read_json(session, key_file).get("password") != _digest(password):
        raise SqlFailure(15465, "The private key password is invalid.")
    return {"subject": found["subject"], "thumbprint": bytes.fromhex(found["thumbprint"]), "has_key": bool(key_file)}


def _read_json(session: Session, path: str) -> Document:
    try:
        return dict(json.loads(session.instance.volumes.real(path).read_text()))
    except (OSError, NoSuchVolume, ValueError):
        raise SqlFailure(
            15208,
            "The certificate, asymmetric key, or private key file is not valid or does not exist; or you do not have permissions for it.",
        ) from None


def backup_certificate(session: Session, reader: Reader) -> Iterator[Event]:
    """BACKUP CERTIFICATE name TO FILE = '...' [WITH PRIVATE KEY (FILE = ..., ENCRYPTION BY PASSWORD = ...)]: files of this simulation's own form."""
    name = reader.name()
    reader.need("TO", "FILE", "=")
    path = reader.text()
    found = session.current.catalogue.named("certificate", name)
    if found is None or not security.is_owner(session, session.current):
        raise fail(15151, "find", "certificate", name)
    files = {path: {"subject": found[1].get("subject", name), "thumbprint": found[1]["thumbprint"].hex()}}
    if reader.take("WITH", "PRIVATE", "KEY"):
        inner = Reader(reader.group())
        inner.need("FILE", "=")
        key = inner.text()
        inner.need(",")
        inner.need("ENCRYPTION", "BY", "PASSWORD", "=")
        files[key] = {**files[path], "password": _digest(inner.text())}
    reader.finish()
    for where, content in files.items():
        try:
            real = session.instance.volumes.real(where)
            with real.open("x") as out:
                out.write(json.dumps(content))
        except (OSError, NoSuchVolume):
            raise SqlFailure(
                15240,
                f"Cannot write into file '{where}'. Verify that you have write permissions, that the file path is valid, and that the file does not already exist.",
            ) from None
    with session.changing(session.current) as contents:
        contents.update("certificate", found[0], backup=now())
    yield Done(None, "BACKUP CERTIFICATE")


def drop_certificate(session: Session, frame: Frame, reader: Reader) -> Iterator[Event]:
    """DROP CERTIFICATE name."""
    name = reader.name()
    reader.finish()
    found = session.current.catalogue.named("certificate", name)
    if found is None or not security.is_owner(session, session.current):
        raise fail(15151, "drop", "certificate", name)
    if any(one.options["encryptor"] == found[1]["thumbprint"] for one in session.instance.databases.all()):
        raise SqlFailure(
            3716,
            f"The certificate '{name}' cannot be dropped because it is bound to one or more database encryption key.",
        )
    with session.changing(session.current) as contents:
        contents.drop("certificate", found[0])
    yield Done(None, "DROP CERTIFICATE")


def create_encryption_key(session: Session, frame: Frame, reader: Reader) -> Iterator[Event]:
    """CREATE DATABASE ENCRYPTION KEY WITH ALGORITHM = ... ENCRYPTION BY SERVER CERTIFICATE name."""
    reader.need("WITH", "ALGORITHM", "=")
    reader.name()
    reader.need("ENCRYPTION", "BY", "SERVER", "CERTIFICATE")
    name = reader.name()
    reader.finish()
    _owner(session)
    found = session.instance.catalogue.named("certificate", name)
    if found is None:
        raise fail(15151, "find", "certificate", name)
    if session.current.options["encryptor"] is not None:
        raise SqlFailure(33103, "A database encryption key already exists for this database.")
    with session.changing(session.current) as contents:
        contents.update("options", 1, encryptor=found[1]["thumbprint"])
    session.instance.databases.remember(session, session.current)
    yield Done(None, "CREATE DATABASE ENCRYPTION KEY")


def create_credential(session: Session, frame: Frame, reader: Reader) -> Iterator[Event]:
    """CREATE CREDENTIAL name WITH IDENTITY = '...' [, SECRET = '...']."""
    name = reader.name()
    reader.need("WITH", "IDENTITY", "=")
    identity = reader.text()
    if reader.take(",", "SECRET", "="):
        reader.text()
    reader.finish()
    security.require(session, "ALTER ANY CREDENTIAL")
    if session.instance.catalogue.named("credential", name):
        raise SqlFailure(15530, f'The credential with name "{name}" already exists.')
    with session.changing(session.instance.master) as contents:
        contents.add("credential", {"name": name, "identity": identity, "created": now()}, 65536)
    yield Done(None, "CREATE CREDENTIAL")


def drop_credential(session: Session, frame: Frame, reader: Reader) -> Iterator[Event]:
    """DROP CREDENTIAL name."""
    name = reader.name()
    reader.finish()
    security.require(session, "ALTER ANY CREDENTIAL")
    found = session.instance.catalogue.named("credential", name)
    if found is None:
        raise fail(15151, "drop", "credential", name)
    with session.changing(session.instance.master) as contents:
        contents.drop("credential", found[0])
    yield Done(None, "DROP CREDENTIAL")
