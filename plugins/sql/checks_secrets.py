"""Checks about what is sealed: certificates of encrypted databases, the service master key, and the accounts that open it."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.model.findings import Finding
from orchestrator.model.sql import SqlInstance
from orchestrator.sdk.checks import View, check
from plugins.sql.checks_view import SOURCE, TARGET, called, compared, databases, instance_of, told, whole
from plugins.sql.told import engine_account

MACHINES_OWN = ("nt service\\", "nt authority\\", "localsystem", "localservice", "networkservice", ".\\")
"""Accounts that mean another one on every machine."""


@check("sql-tde-certificate", sets=("basic", "failover"), passed="the target can open every encrypted database")
def certificate(view: View) -> Iterator[Finding]:
    """The key of an encrypted database is sealed with a certificate of master: without it nobody opens the database."""
    for ours, chosen in told(view):
        theirs = None if whole(view) else instance_of(view, TARGET, ours.name)
        if theirs is None:
            continue
        there = {one.thumbprint.lower() for one in theirs.certificates if one.has_key}
        names = {one.thumbprint.lower(): one.name for one in ours.certificates}
        for one in chosen:
            if one.encrypted and one.encryptor and one.encryptor.lower() not in there:
                held = names.get(one.encryptor.lower(), one.encryptor)
                yield view.error(
                    f"{one.name} is encrypted with {held}, which {called(view, TARGET, ours.name)} does not have",
                    where=f"{called(view, SOURCE, ours.name)}, sys.dm_database_encryption_keys",
                    why="the database could not be attached there (error 33111)",
                    remedy=f"BACKUP CERTIFICATE [{held}] TO FILE ... WITH PRIVATE KEY (...), then CREATE CERTIFICATE ... FROM FILE on the target; wipe the files",
                )


@check("sql-service-master-key", sets=("basic", "failover"), passed="the target can open the service master key")
def master_key(view: View) -> Iterator[Finding]:
    """It is sealed for the machine and for the account of the service: on another machine the same domain account opens it, and no other."""
    if not whole(view) or not view.on_windows:
        return
    for instance, ours, theirs in compared(view):
        mine, other = engine_account(ours), engine_account(theirs)
        own = next((one for one in (mine, other) if _of_machine(one, ours, theirs)), "")
        if mine.lower() == other.lower() and not own:
            continue
        speak = view.error if _has_secrets(view, ours) else view.warning
        yield speak(
            f"{called(view, SOURCE, instance)} runs as {mine or 'an unknown account'}, {called(view, TARGET, instance)} as {other or 'an unknown account'}",
            where=f"{called(view, TARGET, instance)}, sys.dm_server_services.service_account",
            why="the service master key would not open: passwords of linked servers, credentials and encrypted databases would be lost",
            remedy="run both with one domain account (SQL Server Configuration Manager); or keep BACKUP SERVICE MASTER KEY at hand",
        )


@check(
    "sql-service-domain", sets=("basic", "names"), passed="both instances run in one domain, or with one domain account"
)
def domain(view: View) -> Iterator[Finding]:
    """The guide: both servers in one domain, or both services with the same domain account."""
    ours, theirs = view.inventory.source.windows, view.inventory.target.windows
    if ours is None or theirs is None or not ours.domain or ours.domain.lower() == theirs.domain.lower():
        return
    for instance, mine, other in compared(view):
        accounts = (engine_account(mine), engine_account(other))
        if accounts[0].lower() != accounts[1].lower() or _of_machine(accounts[0], mine, other):
            yield view.error(
                f"{called(view, SOURCE, instance)} is in {ours.domain}, {called(view, TARGET, instance)} in {theirs.domain or 'no domain'}, with different accounts",
                where=f"{called(view, TARGET, instance)}, sys.dm_server_services.service_account",
                why="tickets and log-ins of the one domain mean nothing to a service of the other",
                remedy="join both to one domain, or run both services with one account that both domains trust",
            )


def _of_machine(account: str, *instances: SqlInstance) -> bool:
    machines = tuple(f"{one.machine.lower()}\\" for one in instances if one.machine)
    return account.lower().startswith((*MACHINES_OWN, *machines))


def _has_secrets(view: View, ours: SqlInstance) -> bool:
    return bool(
        ours.credentials or ours.linked or ours.master_key or any(one.encrypted for one in databases(view, ours))
    )


SECRETS = (certificate, master_key, domain)
