"""From a Windows server's entry to its host: passwords are read at the last moment, from the credential cache alone."""

from __future__ import annotations

from orchestrator.hosts.reach import Passwords
from orchestrator.hosts.winrm import WinRmHost
from orchestrator.hosts.winrm_calls import Caller
from orchestrator.hosts.winrm_login import login_of
from orchestrator.hosts.winrm_shell import OPERATION_TIMEOUT_S, Shell
from orchestrator.hosts.winrm_wire import Wire
from orchestrator.model.servers import Server

ANSWER_TIMEOUT_S = OPERATION_TIMEOUT_S + 10.0
"""The host may keep an answer back for the operation's time."""


def caller_of(server: Server, passwords: Passwords, *, timeout_s: float = ANSWER_TIMEOUT_S) -> Caller:
    """The way to the scripts of ``server``; nothing is opened before the first call.

    Raises:
        CredentialUnusable: the password of its account cannot be had.
    """
    address = server.own_winrm
    login = login_of(address, lambda: passwords(address.account, server.name))

    def shell() -> Shell:
        return Shell(Wire(address, login, timeout_s), address.url)

    return Caller(server.name, address.url, login.account, shell, computer=address.computer)


def winrm_host(server: Server, caller: Caller) -> WinRmHost:
    """The server as a host."""
    return WinRmHost(server.name, caller)
