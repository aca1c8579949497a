"""Log-ins of a protected SQL Server that this machine keeps for its target, gathered anew when they are older than the settings say."""

from __future__ import annotations

from orchestrator.model.protections import Protection
from orchestrator.model.servers import Where
from orchestrator.pipeline import Pipeline

LOOK_S = 60.0
"""How often is looked how old they are; that asks no server."""


def is_wanted(protection: Protection) -> bool:
    """Whether databases alone are protected, and their log-ins follow."""
    sql = protection.settings.failover.sql
    return sql is not None and sql.mode == "database" and sql.logins.transfer


def gather(pipeline: Pipeline, protection: Protection) -> None:
    """Gather what is too old.

    Raises:
        DtamError, TryAgain: an instance of the source does not answer as it should.
    """
    sql = protection.settings.failover.sql
    ports = pipeline.reach.ports(protection.pair, protection.settings)
    servers = ports.sql
    if sql is None or servers is None:
        return
    age_s = float(sql.logins.refresh_interval_s)
    for one in sql.instances:
        at_s = servers.kept_at_s(protection.id, one.name)
        if at_s is not None and 0 <= ports.now() - at_s < age_s:
            continue
        document = {
            "protection": protection.id,
            "instance": one.name,
            "exclude": list(sql.logins.exclude),
            "max_age_s": age_s,
        }
        seen = servers.look(Where.TARGET, "keep-logins", document)
        if not seen.done:
            servers.do(Where.TARGET, "keep-logins", document, seen.found)
