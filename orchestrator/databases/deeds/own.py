"""Deeds about the instance itself: ``server-name``, ``configuration``, ``login-mode``."""

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
    r"""``wanted``: empty is what the machine is called, with ``\INSTANCE`` for a named one."""

    wanted: str = ""


class ServerName(Deed[ServerNameDocument]):
    """The instance is registered under its machine's name; ``@@SERVERNAME`` follows at its next start. Undo registers the name of before.

    Refused where a database is published, subscribed, mirrored or a distributor: those know the name.
    """

    name = "server-name"
    document = ServerNameDocument

    def look(self) -> SqlLook:
        """What it is registered as."""
        itself, _ = held(self.session)
        wanted, local = self.asked.wanted or itself.full_name, self._local()
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
        self._register(self.asked.wanted or itself.full_name)

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
    """An option of ``sp_configure`` and its ``value``."""

    option: str = ""
    value: int = 0


class Configuration(Deed[ConfigurationDocument]):
    """An option has a value, and is in use as far as it can be without a restart. Undo sets the value of before."""

    name = "configuration"
    document = ConfigurationDocument

    def look(self) -> SqlLook:
        """Its value."""
        now = self._value(self.asked.option)
        done = now == self.asked.value
        return SqlLook(done=done, says=f"{self.session.label}: {self.asked.option} is {now}", found={"value": now})

    def do(self, found: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Set it."""
        self._set(self.asked.value)

    def undo(self, found: Mapping[str, Any]) -> None:
        """Set it back."""
        if found.get("value") is not None:
            self._set(int(found["value"]))

    def _value(self, option: str) -> int:
        rows = self.session.rows("SELECT CAST(value AS int) AS value FROM sys.configurations WHERE name = ?", option)
        if not rows:
            reason = f"{self.session.label} has no option {option!r}"
            raise DeedRefused(server=self.session.label, reason=reason, advice="see: EXEC sp_configure")
        return number(rows[0]["value"])

    def _set(self, value: int) -> None:
        """Advanced options can be set while they are shown only."""
        hidden = self._value(_SHOW) == 0
        if hidden:
            self._configure(_SHOW, 1)
        try:
            self._configure(self.asked.option, value)
        finally:
            if hidden and self.asked.option != _SHOW:
                self._configure(_SHOW, 0)

    def _configure(self, option: str, value: int) -> None:
        self.session.run(f"EXEC sp_configure {quoting.text(option)}, {value}")
        self.session.run("RECONFIGURE")


class LoginModeDocument(Document, frozen=True):
    """``mixed``: accounts of SQL Server may log in, too."""

    mixed: bool = True


class LoginMode(Deed[LoginModeDocument]):
    """Who may log in, as the registry has it; in use after the next start. Undo writes the value of before."""

    name = "login-mode"
    document = LoginModeDocument
    _PLACE = r"N'HKEY_LOCAL_MACHINE', N'Software\Microsoft\MSSQLServer\MSSQLServer', N'LoginMode'"

    def look(self) -> SqlLook:
        """1 is Windows accounts alone, 2 both."""
        rows = self.session.rows(f"EXEC master.dbo.xp_instance_regread {self._PLACE}")
        mode = number(rows[0]["data"]) if rows else 0
        itself, _ = held(self.session)
        in_use = "Windows accounts alone" if itself.integrated_only else "both kinds of accounts"
        says = f"{self.session.label}: {in_use} may log in; at the next start {'both' if mode == 2 else 'Windows accounts alone'}"
        return SqlLook(done=mode == self._wanted, says=says, found={"mode": mode})

    def do(self, found: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Write it."""
        self._write(self._wanted)

    def undo(self, found: Mapping[str, Any]) -> None:
        """Write back."""
        if found.get("mode"):
            self._write(int(found["mode"]))

    @property
    def _wanted(self) -> int:
        return 2 if self.asked.mixed else 1

    def _write(self, mode: int) -> None:
        self.session.run(f"EXEC master.dbo.xp_instance_regwrite {self._PLACE}, REG_DWORD, {mode}")
