"""From a Windows server's entry to its host: passwords are read at the last moment, from the credential cache alone."""

from __future__ import annotations

from orchestrator.hosts.reach import Passwords
from orchestrator.hosts.winrm import WinRmHost
from orchestrator.hosts.winrm_calls import Caller
from orchestrator.hosts.winrm_login import login_of
from orchestrator.hosts.winrm_shell import OPERATION_TIMEOUT_S, Shell
from orchestrator.hosts.winrm_wire import CONNECT_TIMEOUT_S, Wire
from orchestrator.model.servers import Server

LOOK_OPERATION_S = 5
LOOK_CONNECT_S = 3.0


def caller_of(server: Server, passwords: Passwords, *, hasty: bool = False) -> Caller:
    """The way to the scripts of ``server``; nothing is opened before the first call. ``hasty``: for one look, see ``Caller``.

    Raises:
        CredentialUnusable: the password of its account cannot be had.
    """
    address = server.own_winrm
    login = login_of(address, lambda: passwords(address.account, server.name))
    operation_s, spare_s, connect_s = (
        (LOOK_OPERATION_S, 3.0, LOOK_CONNECT_S) if hasty else (OPERATION_TIMEOUT_S, 10.0, CONNECT_TIMEOUT_S)
    )

    def shell() -> Shell:
        """The host may keep an answer back for the operation's time."""
        wire = Wire(address, login, operation_s + spare_s, connect_s)
        return Shell(wire, address.url, operation_s=operation_s)

    return Caller(server.name, address.url, login.account, shell, computer=address.computer, hasty=hasty)


def winrm_host(server: Server, caller: Caller) -> WinRmHost:
    """The server as a host."""
    return WinRmHost(server.name, caller)
