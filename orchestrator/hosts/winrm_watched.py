"""A way to a Windows host that is looked at while it is used: how it logged in, whether answers came sealed, over which TLS.

Questions go as constant texts that are sent whole, so that nothing need lie on the host; see ``winrm_scripts``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.hosts.reach import Passwords
from orchestrator.hosts.winrm_calls import QUESTION_S, Caller, Line
from orchestrator.hosts.winrm_laying import Laid, looked
from orchestrator.hosts.winrm_login import login_of
from orchestrator.hosts.winrm_sealing import is_sealed
from orchestrator.hosts.winrm_shell import OPERATION_TIMEOUT_S, Shell
from orchestrator.hosts.winrm_wire import LinkLost, NotReached, Wire
from orchestrator.model.servers import Server

OK = 200
SPARE_S = 10.0


@dataclass(slots=True)
class Seen:
    """What was seen until now. ``protocol``: kerberos or ntlm where one was negotiated; ``tls``: its version, or empty; answers are counted."""

    protocol: str = ""
    tls: str = ""
    sealed: int = 0
    unsealed: int = 0
    answers: int = 0


class WatchedWire(Wire):
    """A wire that notes what it sees in ``seen``."""

    seen: Seen

    def _post(self, connection: Any, body: bytes, headers: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
        logged_in = self._context
        tls = connection.sock.version() if hasattr(connection.sock, "version") else ""
        status, said, answer = super()._post(connection, body, headers)
        self.seen.tls = tls or self.seen.tls
        if logged_in is not None or self._login.context is None:
            self.seen.answers += status == OK
        if logged_in is not None:
            self.seen.protocol = str(logged_in.negotiated_protocol or "")
            sealed = is_sealed(said.get("content-type", ""))
            self.seen.sealed += sealed
            self.seen.unsealed += not sealed and status == OK
        return status, said, answer


class Questions(Caller):
    """A caller that also asks by texts of its own, and knows what was ``seen``."""

    seen: Seen

    def laid(self) -> tuple[Laid, ...]:
        """What lies on the host of our scripts.

        Raises:
            DtamError: the host cannot be asked.
        """
        return looked(self)

    def send(
        self, name: str, request: Mapping[str, Any], budget_s: float = QUESTION_S, line_chars: int = 0
    ) -> tuple[Line, ...]:
        """Run a text that changes nothing; once more where the answer was lost. Its command line has at least ``line_chars`` characters.

        Raises:
            DtamError: see ``winrm_failures`` and ``hosts.errors``.
        """

        def asked() -> tuple[Line, ...]:
            return self._lines(self._ended(name, request, budget_s, line_chars))

        try:
            return asked()
        except (LinkLost, NotReached):
            return self._tried(asked)


def questions_of(server: Server, passwords: Passwords) -> Questions:
    """The way to a host that may have none of our scripts; nothing is opened before the first question.

    Raises:
        CredentialUnusable: the password of its account cannot be had.
    """
    address, seen = server.own_winrm, Seen()
    login = login_of(address, lambda: passwords(address.account, server.name))

    def shell() -> Shell:
        wire = WatchedWire(address, login, OPERATION_TIMEOUT_S + SPARE_S)
        wire.seen = seen
        return Shell(wire, address.url)

    made = Questions(server.name, address.url, login.account, shell)
    made.seen = seen
    return made
