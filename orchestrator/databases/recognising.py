"""Whether who answers is who was meant: a port may be another instance's, and an address that moved is the other server's."""

from __future__ import annotations

from orchestrator.databases.cells import text
from orchestrator.databases.errors import SqlError
from orchestrator.databases.session import Session
from orchestrator.model.sql import DEFAULT_INSTANCE, is_default
from orchestrator.model.sqlway import SqlAccess

WHO = (
    "SELECT CAST(SERVERPROPERTY('InstanceName') AS nvarchar(128)) AS instance_name, "
    "CAST(SERVERPROPERTY('MachineName') AS nvarchar(128)) AS machine"
)
_NETBIOS_LIMIT = 15


def recognised(session: Session, access: SqlAccess, port: int) -> None:
    """It is the instance of that name, and not that of the pair's other server.

    Raises:
        SqlError: somebody else answers; nothing was done there.
    """
    row = session.rows(WHO)[0]
    instance, machine = text(row["instance_name"]) or DEFAULT_INSTANCE, text(row["machine"])
    who = machine if is_default(instance) else f"{machine}\\{instance}"
    reason = f"{access.host} port {port} is answered by {who}"
    if instance.upper() != access.instance.upper() and not (is_default(instance) and is_default(access.instance)):
        advice = "give the instance's own port, or its name: failover.sql.instances[].name, source_port, target_port"
        raise SqlError(server=access.label, reason=f"{reason}, which is another instance", advice=advice)
    if _is(machine, access.other) and not _is(machine, access.server):
        advice = "that address moved, or is given for both: failover.sql.instances[].source_host, target_host; try again later"
        raise SqlError(server=access.label, reason=f"{reason}, which is the other server", advice=advice)


def _is(machine: str, server: str) -> bool:
    """A machine's name is cut after 15 characters on Windows."""
    short = server.partition(".")[0].upper()
    return bool(short) and machine.upper() in {short, short[:_NETBIOS_LIMIT]}
