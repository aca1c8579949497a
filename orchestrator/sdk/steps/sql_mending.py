"""Steps that mend what a check found of SQL Server: one small deed each, with its undo where there is one.

The verbs are those of any deed of ``Ports.sql``; what a deed's document says is told with the deed (``orchestrator.databases``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from orchestrator.model.servers import Where
from orchestrator.model.steps import Step
from orchestrator.sdk.steps.making import act, irreversible

SHOWN = 5
"""Names in a sentence; more are counted."""


def detach_databases(where: Where, server: str, instance: str, databases: Sequence[Mapping[str, Any]]) -> Step:
    """Databases (``name``, ``files``) are no more known to an instance; their files stay as they are."""
    names = [str(one["name"]) for one in databases]
    return _mend(
        "detach",
        where,
        f"detach {_shown(names)} from {_called(server, instance)}: its users are cut off",
        {"instance": instance, "databases": [dict(one) for one in databases]},
        _words(names),
    )


def copy_logins(where: Where, server: str, instance: str, names: Sequence[str]) -> Step:
    """Log-ins of the other side are here, too: with their security identifiers, passwords, roles and permissions."""
    return _mend(
        "copy-logins",
        where,
        f"make the log-ins {_shown(names)} at {_called(server, instance)}, as they are on the other side",
        {"instance": instance, "names": list(names)},
        _words(names),
    )


def set_options(where: Where, server: str, instance: str, options: Mapping[str, int]) -> Step:
    """Options of ``sp_configure`` have these values."""
    said = ", ".join(f"{name} to {value}" for name, value in options.items())
    given = {"instance": instance, "options": dict(options)}
    return _mend("configuration", where, f"set {said} on {_called(server, instance)}", given, _words(options))


def allow_sql_logins(where: Where, server: str, instance: str) -> Step:
    """Log-ins of SQL Server are let in beside Windows', from the next start of the instance on."""
    sentence = f"let log-ins of SQL Server into {_called(server, instance)} (counts when it starts anew)"
    return _mend("login-mode", where, sentence, {"instance": instance, "mixed": True}, "mixed")


def enable_protocol(where: Where, server: str, instance: str, protocol: str) -> Step:
    """A network protocol (``tcp``, ``np``) is switched on, from the next start of the instance on."""
    sentence = f"switch {protocol} on for {_called(server, instance)} (counts when it starts anew)"
    return _mend("protocol", where, sentence, {"instance": instance, "protocol": protocol, "enabled": True}, protocol)


def make_sql_directory(where: Where, server: str, instance: str, path: str) -> Step:
    """A directory is there, and belongs to the account that runs the instance. An empty directory is left by an undo."""
    sentence = f"let {_called(server, instance)} make the directory {path}"
    step = _mend("make-directory", where, sentence, {"instance": instance, "path": path}, _words([path]))
    return irreversible(step, f"{path} stays, empty: SQL Server has no way to remove a directory")


def _mend(deed: str, where: Where, sentence: str, document: Mapping[str, Any], words: str) -> Step:
    given = {"where": where, "deed": deed, "document": dict(document)}
    return Step(
        f"sql-{deed}-{where}-{_words([str(document['instance'])])}-{words}",
        where,
        sentence,
        act("sql-done", **given),
        act("do-sql", **given),
        act("undo-sql", **given),
    )


def _called(server: str, instance: str) -> str:
    return server if instance.upper() == "MSSQLSERVER" else f"{server}\\{instance}"


def _shown(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _words(names: Iterable[str]) -> str:
    every = list(names)
    said = "-".join(re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "x" for name in every[:SHOWN])
    return f"{said}-{len(every)}" if len(every) > SHOWN else said
