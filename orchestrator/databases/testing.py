"""Test SQL: whether an instance can be reached and logged in to, and why not."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.databases.browser import browse
from orchestrator.databases.errors import SqlUnreachable
from orchestrator.databases.facts import itself_and_databases
from orchestrator.databases.session import OdbcSession
from orchestrator.errors import DtamError
from orchestrator.model.outcomes import TryAgain
from orchestrator.model.sqlport import SqlTest
from orchestrator.model.sqlway import SqlAccess


def tested(access: SqlAccess, open_session: Callable[[SqlAccess], OdbcSession]) -> SqlTest:
    """Reach, log in, ask; whatever goes wrong is the answer."""
    try:
        with open_session(access) as session:
            itself, databases = itself_and_databases(session)
    except SqlUnreachable as error:
        return SqlTest(ok=False, says=f"{error}{_others(access)}", hint=error.hint)
    except (DtamError, TryAgain) as error:
        return SqlTest(ok=False, says=str(error), hint=getattr(error, "hint", ""))
    says = f"{access.label}: SQL Server {itself.version} ({itself.edition}), {len(databases)} databases, logged in as {itself.login}"
    if itself.sysadmin:
        return SqlTest(ok=True, says=says)
    hint = f"there: ALTER SERVER ROLE sysadmin ADD MEMBER [{itself.login}]"
    return SqlTest(ok=False, says=f"{says}, who is not a member of sysadmin", hint=hint)


def _others(access: SqlAccess) -> str:
    """Which instances SQL Browser knows there, when the wanted one does not answer."""
    entries = browse(access.host, timeout_s=1.0).entries
    known = ", ".join(f"{one.instance} at port {one.port}" for one in entries if one.port)
    return f" (SQL Browser there knows {known})" if known else ""
