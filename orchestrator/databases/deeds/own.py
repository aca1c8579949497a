"""Deeds about the instance itself: ``server-name``, ``configuration``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.databases import quoting
from orchestrator.databases.cells import number, text
from orchestrator.databases.deeds.deed import Deed, Document
from orchestrator.databases.errors import DeedRefused
from orchestrator.databases.held import held
from orchestrator.model.sqlport import SqlLook

_LOCAL = "SELECT name FROM sys.servers WHERE server_id = 0"
_SHOW = "show advanced options"


class ServerNameDocument(Document, frozen=True):
    r"""``name``: empty is what the machine is called, with ``\INSTANCE`` for a named one."""

    name: str = ""


class ServerName(Deed[ServerNameDocument]):
    """The instance is registered under its machine's name; ``@@SERVERNAME`` follows at its next start. Undo registers the name of before.

    Refused where a database is published, subscribed, mirrored or a distributor: those know the name.
    """

    name = "server-name"
    document = ServerNameDocument

    def look(self) -> SqlLook:
        """What it is registered as."""
        itself, _ = held(self.session)
        wanted, local = self.asked.name or itself.full_name, self._local()
        says = f"it is registered as {local or 'nothing'}"
        if itself.server_name.lower() != wanted.lower():
            says += f", calls itself {itself.server_name} until it is restarted"
        done = local.lower() == wanted.lower()
        return SqlLook(done=done, says=f"{self.session.label}: {says}", found={"registered": local, "wanted": wanted})

    def do(self, found: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Register it."""
        itself, databases = held(self.session)
        for one in databases.values():
            if one.published or one.subscribed or one.mirrored or one.distributor:
                reason = f"{self.session.label} cannot be renamed: {one.name} is part of replication or mirroring, which knows its name"
                raise DeedRefused(
                    server=self.session.label, reason=reason, advice="set failover.sql.rename_server: false"
                )
        self._register(self.asked.name or itself.full_name)

    def undo(self, found: Mapping[str, Any]) -> None:
        """The name of before."""
        if found.get("registered"):
            self._register(str(found["registered"]))

    def _local(self) -> str:
        rows = self.session.rows(_LOCAL)
        return text(rows[0]["name"]) if rows else ""

    def _register(self, wanted: str) -> None:
        local = self._local()
        if local.lower() == wanted.lower():
            return
        if local:
            self.session.run(f"EXEC sp_dropserver {quoting.text(local)}, 'droplogins'")
        self.session.run(f"EXEC sp_addserver {quoting.text(wanted)}, 'local'")


class ConfigurationDocument(Document, frozen=True):
    """``options`` of ``sp_configure`` with their values."""

    options: dict[str, int] = {}  # noqa: RUF012  msgspec makes a new one each time


class Configuration(Deed[ConfigurationDocument]):
    """Options have their values, in use as far as they can be without a restart. Undo sets the values of before."""

    name = "configuration"
    document = ConfigurationDocument

    def look(self) -> SqlLook:
        """Their values."""
        now = {option: self._value(option) for option in self.asked.options}
        says = ", ".join(f"{option} is {value}" for option, value in now.items())
        return SqlLook(done=now == self.asked.options, says=f"{self.session.label}: {says}", found={"options": now})

    def do(self, found: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Set them."""
        self._set(self.asked.options)

    def undo(self, found: Mapping[str, Any]) -> None:
        """Set them back."""
        self._set({str(option): int(value) for option, value in dict(found.get("options", {})).items()})

    def _value(self, option: str) -> int:
        rows = self.session.rows("SELECT CAST(value AS int) AS value FROM sys.configurations WHERE name = ?", option)
        if not rows:
            reason = f"{self.session.label} has no option {option!r}"
            raise DeedRefused(server=self.session.label, reason=reason, advice="see: EXEC sp_configure")
        return number(rows[0]["value"])

    def _set(self, options: Mapping[str, int]) -> None:
        """Advanced options can be set while they are shown only."""
        hidden = self._value(_SHOW) == 0
        if hidden:
            self._configure(_SHOW, 1)
        try:
            for option, value in options.items():
                self._configure(option, value)
        finally:
            if hidden and _SHOW not in options:
                self._configure(_SHOW, 0)

    def _configure(self, option: str, value: int) -> None:
        self.session.run(f"EXEC sp_configure {quoting.text(option)}, {value}")
        self.session.run("RECONFIGURE")
