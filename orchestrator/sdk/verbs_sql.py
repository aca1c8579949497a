"""Verbs about SQL Server: one deed of the port ``SqlServers`` on one side, which looks for itself.

``deed`` and ``document`` are the port's. What the look found before the deed is handed to it, and to its undo.
"""

from __future__ import annotations

from orchestrator.model.servers import Where
from orchestrator.model.steps import Seen
from orchestrator.sdk.context import Ports
from orchestrator.sdk.verbs import Found, Given, deed, look


@look("sql-done")
def sql_done(ports: Ports, given: Given) -> Seen:
    """It is so already, as the instance says."""
    seen = ports.sql_servers.look(Where(given["where"]), given["deed"], given["document"])
    return Seen(done=seen.done, says=seen.says, found=dict(seen.found))


@deed("do-sql")
def do_sql(ports: Ports, given: Given, found: Found) -> None:
    """Do it."""
    ports.sql_servers.do(Where(given["where"]), given["deed"], given["document"], found)


@deed("undo-sql")
def undo_sql(ports: Ports, given: Given, found: Found) -> None:
    """Bring back what was found."""
    ports.sql_servers.undo(Where(given["where"]), given["deed"], given["document"], found)
