"""Checks of SQL Server on Linux: whose its directories are, and what it needs beside its databases."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from orchestrator.model.findings import Finding
from orchestrator.model.inventory import PathFacts
from orchestrator.model.paths import is_windows
from orchestrator.sdk.checks import View, check
from orchestrator.sdk.sides import root_of
from plugins.sql.checks_files import all_folders
from plugins.sql.checks_view import SIDES, SOURCE, TARGET, name, paths_of, whole
from plugins.sql.placing import Placing

OWNER = "mssql"
"""The account that SQL Server on Linux runs as."""
SECRETS = "/var/opt/mssql/secrets"
MACHINE_KEY = f"{SECRETS}/machine-key"
CONF = "/var/opt/mssql/mssql.conf"


@check("sql-folder-owner", sets=("basic", "data"), passed="the directories of SQL Server on Linux belong to mssql")
def owners(view: View) -> Iterator[Finding]:
    """SQL Server runs as mssql there: what it may not open does not start (error 5120, operating system error 13)."""
    placing = Placing(view.settings)
    for where in SIDES:
        seen = paths_of(view, where)
        for path in dict.fromkeys(all_folders(view, placing, where)):
            facts = seen.get(path)
            if not is_windows(path) and facts is not None and facts.exists and facts.owner not in {"", OWNER}:
                yield view.error(
                    f"{path} on {name(view, where)} belongs to {facts.owner}",
                    where=name(view, where),
                    why=f"SQL Server runs as {OWNER} there, and could not open or make its files",
                    remedy=f"chown -R {OWNER}:{OWNER} {path}",
                )


@check("sql-machine-key", sets=("basic", "data"), passed="what the service master key needs goes along on Linux")
def machine_key(view: View) -> Iterator[Finding]:
    """On Linux the service master key is sealed with a key in a file of the machine; without that file it does not open."""
    for path, facts in _linux_extras(view, (MACHINE_KEY,)):
        if facts.exists and root_of(view.settings, path) is None:
            yield view.error(
                f"{path} is not protected",
                where=view.place("connection.roots"),
                why="the target could not open the service master key: passwords of linked servers and credentials would be lost",
                remedy=f"add {{source_path: {SECRETS}}} to connection.roots, or protect /var/opt/mssql as a whole",
            )


@check("sql-conf-differs", sets=("basic", "data"), passed="mssql.conf goes along, or is alike on both servers")
def conf_differs(view: View) -> Iterator[Finding]:
    """Ports, paths and memory of SQL Server on Linux stand in mssql.conf."""
    for path, facts in _linux_extras(view, (CONF,)):
        theirs = view.inventory.target.path(path)
        if theirs is None or root_of(view.settings, path) is not None:
            continue
        if (facts.exists, facts.bytes) != (theirs.exists, theirs.bytes):
            yield view.warning(
                f"{path} is not alike on {name(view, SOURCE)} and {name(view, TARGET)}",
                where=f"{name(view, TARGET)}, {path}",
                why="port, paths, memory and the Agent may be otherwise after a failover",
                remedy="compare both: /opt/mssql/bin/mssql-conf list; set what differs on the target",
            )


def _linux_extras(view: View, paths: Iterable[str]) -> Iterator[tuple[str, PathFacts]]:
    if view.on_windows or not whole(view):
        return
    for path in paths:
        facts = view.inventory.source.path(path)
        if facts is not None:
            yield path, facts


LINUX = (owners, machine_key, conf_differs)
