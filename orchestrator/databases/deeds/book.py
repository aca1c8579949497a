"""All deeds by their names: those of ``dtam step sql`` and of the port."""

from __future__ import annotations

from typing import Any

from orchestrator.databases.deeds.carried import CopyLogins, CreateLogin, KeepLogins, Logins
from orchestrator.databases.deeds.deed import Deed
from orchestrator.databases.deeds.files import Attach, Detach
from orchestrator.databases.deeds.machine import LoginMode, MakeDirectory, Protocol
from orchestrator.databases.deeds.own import Configuration, ServerName
from orchestrator.databases.deeds.settled import Authorization, DefaultDatabases, Orphans, OwnersAndOptions
from orchestrator.databases.deeds.standing import Check, Probe, Ready
from orchestrator.databases.errors import DeedInvalid

_ALL: tuple[type[Deed[Any]], ...] = (
    Ready,
    KeepLogins,
    Logins,
    Attach,
    Detach,
    Orphans,
    OwnersAndOptions,
    DefaultDatabases,
    ServerName,
    Probe,
    Check,
    LoginMode,
    Protocol,
    MakeDirectory,
    Configuration,
    CopyLogins,
    CreateLogin,
    Authorization,
)
DEEDS: dict[str, type[Deed[Any]]] = {one.name: one for one in _ALL}


def deed_of(name: str) -> type[Deed[Any]]:
    """A deed by its name.

    Raises:
        DeedInvalid: there is none.
    """
    if name not in DEEDS:
        raise DeedInvalid(deed=name, reason="there is no such deed")
    return DEEDS[name]
