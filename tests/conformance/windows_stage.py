"""One simulated Windows host with the scripts laid, as the tests of this folder take it."""

from __future__ import annotations

from pathlib import Path

from orchestrator.hosts.winrm import WinRmHost
from orchestrator.hosts.winrm_calls import Caller
from orchestrator.hosts.winrm_reach import winrm_host
from orchestrator.model.servers import Server
from tests.lab.windows.starting import WindowsHost

SERVICE = {"name": "files", "unit": "Spooler"}


class Stage:
    """One host with the scripts laid and a protection p, whose epoch it holds."""

    def __init__(self, served: WindowsHost, server: Server, caller: Caller) -> None:
        self.served, self.server, self.caller = served, server, caller
        self.host: WinRmHost = winrm_host(server, caller)

    def protect(self, **more: object) -> None:
        self.host.put_protection({"id": "p", "role": "source", "epoch": 1, "services": [SERVICE], **more})
        self.host.act("p", "set_epoch", {"epoch": 1})

    def path(self, windows: str) -> Path:
        return Path(str(self.served.control.ask("machine", call="files.open_path", arguments=[windows])))

    def state_of_service(self) -> str:
        return self.host.services()[0].state
