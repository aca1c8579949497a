"""Steps that mend what a check found of SQL Server: one small deed each, with its undo where there is one.

The verbs are those of any deed of ``Ports.sql``; what a deed's document says is told with the deed (``orchestrator.databases``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.model.servers import Where
from orchestrator.model.sql import is_default
from orchestrator.model.steps import Step
from orchestrator.sdk.steps.making import act, irreversible

SHOWN = 5
"""Names in a sentence; more are counted."""


@dataclass(frozen=True, slots=True)
class At:
    """The instance that is mended: on which side, what its server is called, and for which protection."""

    where: Where
    server: str
    instance: str
    protection: str

    @property
    def called(self) -> str:
        """The instance as people write it."""
        return self.server if is_default(self.instance) else f"{self.server}\\{self.instance}"


def detach_databases(at: At, databases: Sequence[Mapping[str, Any]]) -> Step:
    """Databases (``name``, ``files``) are no more known to an instance; their files stay as they are."""
    names = [str(one["name"]) for one in databases]
    return _mend(
        "detach",
        at,
        f"detach {_shown(names)} from {at.called}: its users are cut off",
        {"databases": [dict(one) for one in databases]},
        _words(names),
    )


def copy_logins(at: At, names: Sequence[str]) -> Step:
    """Log-ins of the other side are here, too: with their security identifiers, passwords, roles and permissions."""
    return _mend(
        "copy-logins",
        at,
        f"make the log-ins {_shown(names)} at {at.called}, as they are on the other side",
        {"names": list(names)},
        _words(names),
    )


def set_options(at: At, options: Mapping[str, int]) -> Step:
    """Options of ``sp_configure`` have these values."""
    said = ", ".join(f"{name} to {value}" for name, value in options.items())
    given = {"options": dict(options)}
    return _mend("configuration", at, f"set {said} on {at.called}", given, _words(options))


def allow_sql_logins(at: At) -> Step:
    """Log-ins of SQL Server are let in beside Windows', from the next start of the instance on."""
    sentence = f"let log-ins of SQL Server into {at.called} (counts when it starts anew)"
    return _mend("login-mode", at, sentence, {"mixed": True}, "mixed")


def enable_protocol(at: At, protocol: str) -> Step:
    """A network protocol (``tcp``, ``np``) is switched on, from the next start of the instance on."""
    sentence = f"switch {protocol} on for {at.called} (counts when it starts anew)"
    return _mend("protocol", at, sentence, {"protocol": protocol, "enabled": True}, protocol)


def make_sql_directory(at: At, path: str) -> Step:
    """A directory is there, and belongs to the account that runs the instance. An empty directory is left by an undo."""
    sentence = f"let {at.called} make the directory {path}"
    step = _mend("make-directory", at, sentence, {"path": path}, _words([path]))
    return irreversible(step, f"{path} stays, empty: SQL Server has no way to remove a directory")


def _mend(deed: str, at: At, sentence: str, document: Mapping[str, Any], words: str) -> Step:
    whole = {"protection": at.protection, "instance": at.instance, **document}
    given = {"where": at.where, "deed": deed, "document": whole}
    return Step(
        f"sql-{deed}-{at.where}-{_words([at.instance])}-{words}",
        at.where,
        sentence,
        act("sql-done", **given),
        act("do-sql", **given),
        act("undo-sql", **given),
    )


def _shown(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _words(names: Iterable[str]) -> str:
    every = list(names)
    said = "-".join(re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "x" for name in every[:SHOWN])
    return f"{said}-{len(every)}" if len(every) > SHOWN else said
