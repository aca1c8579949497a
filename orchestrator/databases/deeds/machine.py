"""Deeds about an instance's place on its machine, through its own extended procedures: ``login-mode``, ``protocol``, ``make-directory``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from orchestrator.databases import quoting
from orchestrator.databases.cells import flag, number
from orchestrator.databases.deeds.deed import Asked, Deed, Document
from orchestrator.databases.errors import DeedRefused, SqlError
from orchestrator.databases.held import held
from orchestrator.model.sqlport import SqlLook

_HIVE = "HKEY_LOCAL_MACHINE"
_MISSING = "(Msg 22001)"
_KEY = r"Software\Microsoft\MSSQLServer\MSSQLServer"


class RegistryDeed(Deed[Asked]):
    """A number of the instance's own part of the registry, in use after its next start. Undo writes the number of before."""

    value: ClassVar[str]
    absent: ClassVar[int]
    """What counts where the value is not there."""

    @property
    def key(self) -> str:
        """Where it is."""
        return _KEY

    @property
    def wanted(self) -> int:
        """What it is to be."""
        raise NotImplementedError

    def now(self) -> int:
        """What it is."""
        try:
            rows = self.session.rows(f"EXEC master.dbo.xp_instance_regread {self._place()}")
        except SqlError as error:
            if _MISSING in str(error):
                return self.absent
            raise
        return number(rows[0].get("data")) if rows else self.absent

    def do(self, found: Mapping[str, Any]) -> None:  # noqa: ARG002  it is written whatever it was
        """Write it."""
        self._write(self.wanted)

    def undo(self, found: Mapping[str, Any]) -> None:
        """Write back."""
        if found.get("number") is not None:
            self._write(int(found["number"]))

    def _place(self) -> str:
        return ", ".join(quoting.text(one) for one in (_HIVE, self.key, self.value))

    def _write(self, wanted: int) -> None:
        self.session.run(f"EXEC master.dbo.xp_instance_regwrite {self._place()}, REG_DWORD, {wanted}")


class LoginModeDocument(Document, frozen=True):
    """``mixed``: accounts of SQL Server may log in, too."""

    mixed: bool = True


class LoginMode(RegistryDeed[LoginModeDocument]):
    """Who may log in: 1 is Windows accounts alone, 2 both."""

    name = "login-mode"
    document = LoginModeDocument
    value = "LoginMode"
    absent = 1

    @property
    def wanted(self) -> int:
        """What it is to be."""
        return 2 if self.asked.mixed else 1

    def look(self) -> SqlLook:
        """Who may log in now, and after the next start."""
        now, itself = self.now(), held(self.session)[0]
        words = {True: "Windows accounts alone", False: "both kinds of accounts"}
        says = f"{words[itself.integrated_only]} may log in; after the next start {words[now != 2]}"
        return SqlLook(done=now == self.wanted, says=f"{self.session.label}: {says}", found={"number": now})


class ProtocolDocument(Document, frozen=True):
    """``protocol``: tcp, np (named pipes) or sm (shared memory)."""

    protocol: str = "tcp"
    enabled: bool = True


class Protocol(RegistryDeed[ProtocolDocument]):
    """A protocol is switched on or off."""

    name = "protocol"
    document = ProtocolDocument
    value = "Enabled"
    absent = 0

    @property
    def key(self) -> str:
        """The key of that protocol."""
        return rf"{_KEY}\SuperSocketNetLib\{self.asked.protocol.capitalize()}"

    @property
    def wanted(self) -> int:
        """What it is to be."""
        return int(self.asked.enabled)

    def look(self) -> SqlLook:
        """Whether it is."""
        now = self.now()
        says = f"{self.asked.protocol} is switched {'on' if now else 'off'}"
        return SqlLook(done=now == self.wanted, says=f"{self.session.label}: {says}", found={"number": now})


class DirectoryDocument(Document, frozen=True):
    """``path`` as the instance sees it."""

    path: str = ""


class MakeDirectory(Deed[DirectoryDocument]):
    """A directory is there, and the instance's own account made it. It is not taken away again: something may lie in it."""

    name = "make-directory"
    document = DirectoryDocument

    def look(self) -> SqlLook:
        """Whether it is there."""
        found = self._seen()
        says = f"{self.asked.path} is {'there' if found == (False, True) else 'not a directory' if found[0] else 'missing'}"
        return SqlLook(done=found[1], says=f"{self.session.label}: {says}")

    def do(self, found: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Make it."""
        if self._seen()[0]:
            reason = f"{self.asked.path} at {self.session.label} is a file"
            raise DeedRefused(
                server=self.session.label, reason=reason, advice="give another directory, or move that file"
            )
        self.session.run(f"EXEC master.dbo.xp_create_subdir {quoting.text(self.asked.path)}")

    def _seen(self) -> tuple[bool, bool]:
        """(a file is there, a directory is there)."""
        rows = self.session.rows(f"EXEC master.dbo.xp_fileexist {quoting.text(self.asked.path)}")
        cells = [flag(cell) for cell in rows[0].values()] if rows else [False, False]
        return cells[0], cells[1]
