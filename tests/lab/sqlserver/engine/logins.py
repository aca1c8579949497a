"""Who may come in, and why not: SQL Server tells the caller 18456 and the reason to its ERRORLOG alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.lab.sqlserver.engine import accounts, security
from tests.lab.sqlserver.engine.catalogue import Document
from tests.lab.sqlserver.engine.database import now
from tests.lab.sqlserver.engine.messages import fail
from tests.lab.sqlserver.engine.port import LoginRequest, SqlFailure
from tests.lab.sqlserver.engine.session import Session

if TYPE_CHECKING:
    from tests.lab.sqlserver.engine.instance import Server

REASONS = {
    5: "Could not find a login matching the name provided.", 7: "An error occurred while evaluating the password.", 8: "Password did not match that for the login provided.",
    11: "Login is valid but server access failed.", 12: "Token-based server access validation failed.", 38: "Failed to open the explicitly specified database '{}'.",
    40: "Failed to open the database specified in the login properties '{}'.", 58: "An attempt to login using SQL authentication failed. Server is configured for Integrated authentication only.",
    18: "The password of the account must be changed.", 1: "",
}  # fmt: skip


class Logins:
    """The door of an instance."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def login(self, request: LoginRequest) -> Session:
        """Raises SqlFailure 18456, 18470, 18452, 4060, 4064."""
        if request.windows is not None:
            number, login, sids, name = self._windows(request)
        else:
            number, login = self._sql(request)
            sids, name = (login["sid"],), login["name"]
        session = Session(self.server, name, login, number, tuple(sids), request)
        self._may_connect(session, name, request, disabled=bool(login.get("disabled")))
        self._enter(session, login, request)
        self.server.admit(session)
        return session

    def _refused(self, name: str, state: int, request: LoginRequest, *values: object) -> SqlFailure:
        reason = REASONS.get(state, "").format(*values)
        log = self.server.errorlog
        log.write(f"Error: 18456, Severity: 14, State: {state}.", "Logon")
        log.write(f"Login failed for user '{name}'. Reason: {reason} [CLIENT: {request.client_address}]", "Logon")
        return fail(18456, name)

    def _sql(self, request: LoginRequest) -> tuple[int, Document]:
        if self.server.integrated_only:
            raise self._refused(request.user, 58, request)
        found = self.server.catalogue.named("login", request.user)
        if found is None or found[1]["type"] != "S":
            raise self._refused(request.user, 5, request)
        number, login = found
        if not accounts.matches(request.password, login["hash"] or b""):
            raise self._refused(request.user, 8, request)
        if login["disabled"]:
            self.server.errorlog.write("Error: 18470, Severity: 14, State: 1.", "Logon")
            raise fail(18470, login["name"])
        if login["must_change"]:
            login = self._changed_password(number, login, request)
        return number, login

    def _changed_password(self, number: int, login: Document, request: LoginRequest) -> Document:
        if not request.new_password:
            raise fail(18488, login["name"])
        secret = accounts.hash_password(request.new_password, self.server.personality.hash_version)
        with self.server.master.lock_for_startup():
            self.server.catalogue.update("login", number, hash=secret, must_change=False, password_set=now())
        return {**login, "must_change": False, "hash": secret}

    def _windows(self, request: LoginRequest) -> tuple[int, Document, tuple[bytes, ...], str]:
        windows = request.windows
        assert windows is not None
        sids = (windows.sid, *(sid for _, sid in windows.groups))
        matching = [
            (number, login)
            for number, login in self.server.catalogue.all("login")
            if login["type"] in "UG" and login["sid"] in sids
        ]
        if not matching:
            raise self._refused(windows.name, 5, request)
        if any(login["disabled"] for _, login in matching if login["type"] == "U"):
            raise fail(18470, windows.name)
        own = next(((number, login) for number, login in matching if login["sid"] == windows.sid), matching[0])
        return own[0], own[1], sids, windows.name

    def _may_connect(self, session: Session, name: str, request: LoginRequest, *, disabled: bool) -> None:
        granted, denied = security.server_permissions(session)
        if security.is_sysadmin(session) and "CONNECT SQL" not in denied:
            return
        if disabled or "CONNECT SQL" in denied or "CONNECT SQL" not in granted:
            raise self._refused(name, 12 if request.windows else 11, request)

    def _enter(self, session: Session, login: Document, request: LoginRequest) -> None:
        wanted = request.database or login["default_database"]
        try:
            session.enter(wanted)
        except SqlFailure as failure:
            state = 38 if request.database else 40
            if failure.number == 911 and not request.database:
                self._refused(session.login_name, state, request, wanted)
                raise fail(4064) from failure
            self._refused(session.login_name, state, request, wanted)
            raise fail(4060, wanted) if request.database else fail(4064) from failure
