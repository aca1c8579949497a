"""Clients that are not ours, as tests of simulated Windows hosts use them: pywinrm and pypsrp."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pypsrp.exceptions import WSManFaultError
from pypsrp.wsman import WSMan
from winrm.exceptions import WSManFaultError as PyWinRmFault
from winrm.protocol import Protocol

from tests.lab.windows.starting import WindowsHost


def winrm(host: WindowsHost, user: str = "dtam", **more: Any) -> Protocol:
    """pywinrm with NTLM and message encryption, unless ``more`` says otherwise."""
    given = {"endpoint": host.http, "transport": "ntlm", "password": host.passwords.get(user, "wrong")}
    given["ca_trust_path"] = str(host.ca_file)
    return Protocol(username=user, **{**given, **more})


def wsman(host: WindowsHost, user: str = "dtam", **more: Any) -> WSMan:
    """pypsrp, likewise."""
    given = {"port": host.http_port, "ssl": False, "auth": "ntlm", "password": host.passwords[user], "no_proxy": True}
    return WSMan(host.address, username=user, **{**given, **more})


def run(client: Protocol, line: str, given: bytes | None = None) -> tuple[bytes, bytes, int]:
    """Run a command line in a shell of its own."""
    shell = client.open_shell()
    try:
        command = client.run_command(shell, line)
        if given is not None:
            client.send_command_input(shell, command, given, end=True)
        heard = client.get_command_output(shell, command)
        client.cleanup_command(shell, command)
    finally:
        client.close_shell(shell)
    return heard


def fault_of(deed: Callable[[], object]) -> int:
    """The number of the fault with which pypsrp or pywinrm says that a deed is refused."""
    with pytest.raises((WSManFaultError, PyWinRmFault)) as caught:
        deed()
    return int(getattr(caught.value, "wsman_fault_code", 0) or caught.value.code)
