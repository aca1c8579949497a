"""Extended procedures: files, registry, error log, and what is turned off."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.lab.sqlserver.engine import security
from tests.lab.sqlserver.engine.calling import Argument
from tests.lab.sqlserver.engine.database import Database
from tests.lab.sqlserver.engine.messages import fail
from tests.lab.sqlserver.engine.paths import NoSuchVolume
from tests.lab.sqlserver.engine.port import Event, ReturnStatus, SqlFailure
from tests.lab.sqlserver.engine.procedures import procedure, rows
from tests.lab.sqlserver.engine.running import Frame
from tests.lab.sqlserver.engine.session import Session

# -- extended procedures -----------------------------------------------------------------------------------------------------------


def _component(session: Session, name: str, component: str) -> None:
    found = session.instance.catalogue.named("configuration", component)
    if found is None or not found[1]["in_use"]:
        raise fail(15281, "procedure", f"sys.{name}", component, component, component, component)


@procedure("xp_cmdshell")
def xp_cmdshell(session: Session, frame: Frame, arguments: list[Argument], _: Database) -> Iterator[Event]:
    """Off (15281); when it is on, no command is ever run here."""
    if not security.is_sysadmin(session):
        raise fail(229, "EXECUTE", "xp_cmdshell", "mssqlsystemresource", "sys", state=5)
    _component(session, "xp_cmdshell", "xp_cmdshell")
    yield from rows(session, "output", [("Access is denied.",), (None,)], "nvarchar(255)")
    yield ReturnStatus(1)


@procedure("sp_OACreate", "sp_OAMethod")
def sp_oacreate(session: Session, frame: Frame, arguments: list[Argument], _: Database) -> Iterator[Event]:
    """Off."""
    _component(session, "sp_OACreate", "Ole Automation Procedures")
    raise fail(229, "EXECUTE", "sp_OACreate", "mssqlsystemresource", "sys", state=5)
    yield  # pragma: no cover


@procedure("xp_fileexist")
def xp_fileexist(session: Session, frame: Frame, arguments: list[Argument], _: Database) -> Iterator[Event]:
    """Whether a file or a directory is there, seen by the service."""
    if not arguments:
        raise SqlFailure(22014, "Error executing extended stored procedure: Invalid Parameter")
    path = str(arguments[0].value)
    try:
        real = session.instance.volumes.real(path)
        is_file, is_directory, parent = real.is_file(), real.is_dir(), real.parent.is_dir()
    except NoSuchVolume:
        is_file = is_directory = parent = False
    if len(arguments) > 1 and arguments[1].variable.output:
        arguments[1].variable.value = int(is_file)
    else:
        columns = ("File Exists", "File is a Directory", "Parent Directory Exists")
        for event in rows(session, "a b c", [(int(is_file), int(is_directory), int(parent))], "int;int;int"):
            yield _renamed(event, columns)
    yield ReturnStatus(0)


def _renamed(event: Event, names: tuple[str, ...]) -> Event:
    from tests.lab.sqlserver.engine.port import Column, Columns

    if isinstance(event, Columns):
        return Columns(tuple(Column(name, column.type) for name, column in zip(names, event.columns, strict=True)))
    return event


@procedure("xp_fixeddrives")
def xp_fixeddrives(session: Session, frame: Frame, arguments: list[Argument], _: Database) -> Iterator[Event]:
    """Free space of the volumes in MB."""
    import shutil

    found = [
        (prefix.rstrip(":\\") or prefix, shutil.disk_usage(session.instance.volumes.real(prefix)).free // 2**20)
        for prefix in session.instance.volumes.mapping
        if len(prefix) <= 3 or session.instance.platform == "linux"
    ]
    for event in rows(session, "drive free", found, "nvarchar(260);int"):
        yield _renamed(event, ("drive", "MB free"))
    yield ReturnStatus(0)


@procedure("xp_dirtree", "xp_subdirs")
def xp_dirtree(session: Session, frame: Frame, arguments: list[Argument], _: Database) -> Iterator[Event]:
    """The entries of a directory."""
    values = [argument.value for argument in arguments]
    try:
        entries = sorted(session.instance.volumes.real(str(values[0])).iterdir())
    except (OSError, NoSuchVolume):
        entries = []
    files = len(values) > 2 and int(values[2] or 0)
    found: list[tuple[Any, ...]] = [
        (one.name, 1, int(one.is_file())) if files else (one.name, 1) for one in entries if files or one.is_dir()
    ]
    yield from rows(
        session,
        "subdirectory depth file" if files else "subdirectory depth",
        found,
        "nvarchar(512);int;int" if files else "nvarchar(512);int",
    )
    yield ReturnStatus(0)


@procedure("xp_create_subdir")
def xp_create_subdir(session: Session, frame: Frame, arguments: list[Argument], _: Database) -> Iterator[Event]:
    """Makes a directory as the service may."""
    security.require(session, "CONTROL SERVER")
    try:
        session.instance.volumes.real(str(arguments[0].value)).mkdir(parents=True, exist_ok=True)
    except (OSError, NoSuchVolume, IndexError):
        raise SqlFailure(
            22048, "xp_create_subdir() returned error 3, 'The system cannot find the path specified.'"
        ) from None
    yield ReturnStatus(0)


REGISTRY = {
    "loginmode": "LoginMode",
    "defaultdata": "DefaultData",
    "defaultlog": "DefaultLog",
    "backupdirectory": "BackupDirectory",
    "tcpport": "tcpport",
    "tcpdynamicports": "tcpdynamicports",
    "hidden": "Hidden",
    "hideinstance": "Hidden",
    "numerrorlogs": "NumErrorLogs",
    "auditlevel": "AuditLevel",
}


def _known(key: str, name: str) -> str:
    """The protocols' Enabled by their keys, the others by name."""
    end = key.rstrip("\\").rpartition("\\")[2].lower()
    if name.lower() == "enabled" and end in {"np", "tcp"}:
        return end
    return REGISTRY.get(name.lower(), name)


def _registry_value(session: Session, name: str) -> Any:
    instance = session.instance
    known = {
        "LoginMode": instance.registry().get("LoginMode", 2), "DefaultData": instance.data_path, "DefaultLog": instance.log_path, "BackupDirectory": instance.root_path,
        "tcpport": "" if instance.registry().get("dynamic_port") else str(instance.settings.port), "tcpdynamicports": str(instance.settings.port) if instance.registry().get("dynamic_port") else "",
    }  # fmt: skip
    return known.get(name, instance.registry().get(name))


@procedure("xp_instance_regread", "xp_regread")
def xp_instance_regread(session: Session, frame: Frame, arguments: list[Argument], _: Database) -> Iterator[Event]:
    """One value of the instance's keys."""
    if len(arguments) < 2 or str(arguments[0].value).upper() not in {"HKEY_LOCAL_MACHINE", "HKLM"}:
        raise SqlFailure(22001, "xp_regread() returned error 87, 'The parameter is incorrect.'", state=1)
    name = str(arguments[2].value) if len(arguments) > 2 else ""
    value = _registry_value(session, _known(str(arguments[1].value), name))
    if len(arguments) > 3 and arguments[3].variable.output:
        arguments[3].variable.value = value
    elif value is None:
        raise SqlFailure(
            22001, "RegQueryValueEx() returned error 2, 'The system cannot find the file specified.'", state=1
        )
    else:
        yield from rows(session, "Value Data", [(name, value)])
    yield ReturnStatus(0)


@procedure("xp_instance_regwrite", "xp_regwrite")
def xp_instance_regwrite(session: Session, frame: Frame, arguments: list[Argument], _: Database) -> Iterator[Event]:
    """One value; the login mode takes effect at the next start."""
    if not security.is_sysadmin(session):
        raise fail(229, "EXECUTE", "xp_instance_regwrite", "mssqlsystemresource", "sys", state=5)
    if len(arguments) < 5:
        raise SqlFailure(22002, "xp_regwrite() returned error 87, 'The parameter is incorrect.'", state=1)
    name, value = str(arguments[2].value), arguments[4].value
    known = _known(str(arguments[1].value), name)
    if known == "LoginMode" and int(value) not in {1, 2}:
        raise SqlFailure(22002, "xp_regwrite() returned error 87, 'The parameter is incorrect.'", state=1)
    session.instance.set_registry(**{known: value})
    yield ReturnStatus(0)


@procedure("xp_readerrorlog", "sp_readerrorlog")
def xp_readerrorlog(session: Session, frame: Frame, arguments: list[Argument], _: Database) -> Iterator[Event]:
    """The ERRORLOG."""
    security.require(session, "VIEW SERVER STATE", 15247)
    wanted = str(arguments[2].value or "").lower() if len(arguments) > 2 else ""
    path = session.instance.errorlog.path
    lines = path.read_text(encoding="utf-8").splitlines()
    found = [
        (line[:22], line[23:34].strip(), line[35:]) for line in lines if line[:2] == "20" and wanted in line.lower()
    ]
    yield from rows(session, "LogDate ProcessInfo Text", found, "nvarchar(30);nvarchar(12);nvarchar(max)")
    yield ReturnStatus(0)


@procedure("xp_msver")
def xp_msver(session: Session, frame: Frame, arguments: list[Argument], _: Database) -> Iterator[Event]:
    """Version and machine."""
    made = [
        (1, "ProductName", None, "Microsoft SQL Server"),
        (2, "ProductVersion", 0, session.instance.version),
        (4, "Platform", None, "NT x64"),
        (16, "ProcessorCount", 2, "2"),
        (19, "PhysicalMemory", 8192, "8192"),
    ]
    wanted = str(arguments[0].value).lower() if arguments else ""
    yield from rows(
        session,
        "Index Name Internal_Value Character_Value",
        [row for row in made if not wanted or row[1].lower() == wanted],
        "int;sysname;int;nvarchar(512)",
    )
    yield ReturnStatus(0)


@procedure("xp_servicecontrol")
def xp_servicecontrol(session: Session, frame: Frame, arguments: list[Argument], _: Database) -> Iterator[Event]:
    """Only the state of a service."""
    name = str(arguments[1].value) if len(arguments) > 1 else ""
    if not arguments or str(arguments[0].value).upper() != "QUERYSTATE":
        raise fail(22049, "The parameter is incorrect.")
    yield from rows(
        session,
        "Current_Service_State",
        [("Running." if name.upper().startswith("MSSQL") else "Stopped.",)],
        "nvarchar(100)",
    )
    yield ReturnStatus(0)
