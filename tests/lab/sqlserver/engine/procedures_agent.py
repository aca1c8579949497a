"""Procedures of msdb and of messages: jobs and what is added to sys.messages."""

from __future__ import annotations

from collections.abc import Iterator

from tests.lab.sqlserver.engine import security
from tests.lab.sqlserver.engine.calling import Argument
from tests.lab.sqlserver.engine.catalogue import Catalogue
from tests.lab.sqlserver.engine.database import Database, now
from tests.lab.sqlserver.engine.messages import fail
from tests.lab.sqlserver.engine.old_views import job_id
from tests.lab.sqlserver.engine.port import Event, ReturnStatus, SqlFailure
from tests.lab.sqlserver.engine.procedures import procedure, taken
from tests.lab.sqlserver.engine.running import Frame
from tests.lab.sqlserver.engine.session import Session


@procedure("sp_addmessage")
def sp_addmessage(session: Session, frame: Frame, arguments: list[Argument], _: Database) -> Iterator[Event]:
    """A message of one's own, 50001 and above. SqlFailure 15040, 15043."""
    values = taken("sp_addmessage", arguments, "msgnum!", "severity!", "msgtext!", "lang", "with_log", "replace")
    security.require(session, "ALTER SETTINGS")
    number = int(values["msgnum"])
    if number <= 50000:
        raise SqlFailure(15040, "User-defined error messages must have an ID greater than 50000.")
    if (
        session.instance.catalogue.get("message", number) is not None
        and str(values["replace"] or "").lower() != "replace"
    ):
        raise SqlFailure(15043, "You must specify 'REPLACE' to overwrite an existing message.")
    with session.changing(session.instance.master) as master:
        master.put(
            "message", number, {"severity": int(values["severity"]), "text": str(values["msgtext"]), "language": 1033}
        )
    yield ReturnStatus(0)


@procedure("sp_dropmessage")
def sp_dropmessage(session: Session, frame: Frame, arguments: list[Argument], _: Database) -> Iterator[Event]:
    """Takes it away. SqlFailure 15179."""
    values = taken("sp_dropmessage", arguments, "msgnum!", "lang")
    security.require(session, "ALTER SETTINGS")
    number = int(values["msgnum"])
    if session.instance.catalogue.get("message", number) is None:
        raise SqlFailure(15179, f"The message {number} does not exist.")
    with session.changing(session.instance.master) as master:
        master.drop("message", number)
    yield ReturnStatus(0)


def _msdb(session: Session, database: Database, name: str) -> Catalogue:
    """The procedures of jobs are in msdb alone. SqlFailure 2812, 229."""
    if database.number != 4:
        raise fail(2812, name, state=62)
    if not security.is_owner(session, database):
        raise fail(229, "EXECUTE", name, database.name, "dbo", state=5)
    return database.catalogue


@procedure("sp_add_job")
def sp_add_job(session: Session, frame: Frame, arguments: list[Argument], database: Database) -> Iterator[Event]:
    """A job. SqlFailure 14261."""
    names = (
        "job_name!",
        "enabled",
        "description",
        "start_step_id",
        "category_name",
        "category_id",
        "owner_login_name",
        "notify_level_eventlog",
        "delete_level",
        "job_id",
        "originating_server",
    )
    values = taken("sp_add_job", arguments, *names)
    contents = _msdb(session, database, "sp_add_job")
    name = str(values["job_name"])
    if contents.named("job", name) is not None:
        raise SqlFailure(14261, f"The specified @name ('{name}') already exists.")
    owner = (
        session.instance.catalogue.named("login", str(values["owner_login_name"]))
        if values["owner_login_name"]
        else None
    )
    if values["owner_login_name"] and owner is None:
        raise SqlFailure(
            14234,
            "The specified '@owner_login_name' is invalid (valid values are returned by sp_helplogins [excluding Windows NT groups]).",
        )
    document = {
        "name": name, "enabled": bool(values["enabled"] is None or int(values["enabled"])), "description": str(values["description"] or ""), "owner_sid": owner[1]["sid"] if owner else session.sid,
        "server": values["originating_server"], "steps": [], "created": now(),
    }  # fmt: skip
    with session.changing(database) as changed:
        changed.add("job", document)
    for argument in arguments:
        if argument.name.lower() == "@job_id" and argument.variable.output:
            argument.variable.value = job_id(name)
    yield ReturnStatus(0)


def _job(contents: Catalogue, values: dict[str, object]) -> int:
    wanted = values.get("job_name")
    for number, one in contents.all("job"):
        if (wanted is not None and one["name"].lower() == str(wanted).lower()) or (
            values.get("job_id") is not None and job_id(one["name"]) == str(values["job_id"]).upper()
        ):
            return number
    raise SqlFailure(14262, f"The specified @job_name ('{wanted}') does not exist.")


@procedure("sp_delete_job")
def sp_delete_job(session: Session, frame: Frame, arguments: list[Argument], database: Database) -> Iterator[Event]:
    """Takes a job away. SqlFailure 14262."""
    values = taken(
        "sp_delete_job",
        arguments,
        "job_id",
        "job_name",
        "originating_server",
        "delete_history",
        "delete_unused_schedule",
    )
    number = _job(_msdb(session, database, "sp_delete_job"), values)
    with session.changing(database) as changed:
        changed.drop("job", number)
    yield ReturnStatus(0)


@procedure("sp_update_job")
def sp_update_job(session: Session, frame: Frame, arguments: list[Argument], database: Database) -> Iterator[Event]:
    """Enables, disables or renames a job."""
    values = taken(
        "sp_update_job", arguments, "job_id", "job_name", "new_name", "enabled", "description", "owner_login_name"
    )
    number = _job(_msdb(session, database, "sp_update_job"), values)
    changes: dict[str, object] = {}
    if values["new_name"] is not None:
        changes["name"] = str(values["new_name"])
    if values["enabled"] is not None:
        changes["enabled"] = bool(int(values["enabled"]))
    with session.changing(database) as changed:
        changed.update("job", number, **changes)
    yield ReturnStatus(0)


@procedure("sp_add_jobstep")
def sp_add_jobstep(session: Session, frame: Frame, arguments: list[Argument], database: Database) -> Iterator[Event]:
    """A step of a job."""
    names = (
        "job_id",
        "job_name",
        "step_id",
        "step_name!",
        "subsystem",
        "command",
        "server",
        "database_name",
        "retry_attempts",
        "retry_interval",
        "on_success_action",
        "on_fail_action",
    )
    values = taken("sp_add_jobstep", arguments, *names)
    contents = _msdb(session, database, "sp_add_jobstep")
    number = _job(contents, values)
    step = {
        "name": values["step_name"],
        "command": values["command"] or "",
        "database": values["database_name"] or "master",
        "server": values["server"],
        "subsystem": values["subsystem"] or "TSQL",
    }
    job = contents.get("job", number) or {}
    with session.changing(database) as changed:
        changed.update("job", number, steps=[*job.get("steps", []), step])
    yield ReturnStatus(0)


@procedure("sp_add_jobserver")
def sp_add_jobserver(session: Session, frame: Frame, arguments: list[Argument], database: Database) -> Iterator[Event]:
    """This server alone. SqlFailure 14262."""
    values = taken("sp_add_jobserver", arguments, "job_id", "job_name", "server_name", "automatic_post")
    _job(_msdb(session, database, "sp_add_jobserver"), values)
    yield ReturnStatus(0)
