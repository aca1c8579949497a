r"""A SQL Server on Windows under protection in the lab: winalpha serves, winbeta stands by, Storage Replica carries E:, an application runs on client.

Windows and SQL Server are simulations; the application, its drivers, the domain and everything of dtam are real.
"""

from __future__ import annotations

from typing import Any

from tests.lab.domain import Lab
from tests.lab.places import ADMIN_PASSWORD_FILE, WORKGROUP
from tests.lab.sqlstage import Shop
from tests.lab.waiting import until
from tests.lab.windowshosts import Windows
from tests.lab.windowspairstage import MACHINE, WindowsPairStage


class SqlWindowsStage(WindowsPairStage, Shop):
    """Two SQL Servers on simulated Windows hosts; ``instances`` by name with their ports."""

    application = "sql"

    def __init__(self, lab: Lab, mode: str = "instance", **instances: int) -> None:
        super().__init__(lab)
        self.mode = mode
        self.instances = instances or {"MSSQLSERVER": 1433}
        (first, *_) = self.instances
        Shop.__init__(self, lab, self.alpha.host.fqdn, "" if first == "MSSQLSERVER" else first)

    def machine(self) -> dict[str, Any]:
        """With SQL Server, whose files are on E:."""
        each = [
            {"instance": name, "port": port, "data": rf"E:\{name}\DATA", "sa_password_file": str(ADMIN_PASSWORD_FILE)}
            for name, port in self.instances.items()
        ]
        return {**MACHINE, "sql": each}

    def prepare(self) -> None:
        """Both have the service names that setup registers; the source has the application's database."""
        account = rf"{WORKGROUP}\operator"
        for server in (self.alpha, self.beta):
            for name, port in self.instances.items():
                self._register(server, name, port)
                one = Shop(self.lab, server.host.fqdn, "" if name == "MSSQLSERVER" else name)
                one.ask(f"CREATE LOGIN [{account}] FROM WINDOWS", database="master")
                one.ask(f"ALTER SERVER ROLE sysadmin ADD MEMBER [{account}]", database="master")
        self.furnish()

    def _register(self, server: Windows, instance: str, port: int) -> None:
        own = server.host.fqdn if instance == "MSSQLSERVER" else f"{server.host.fqdn}:{instance}"
        for name in (f"{server.host.fqdn}:{port}", own):
            self.dc1.run(["samba-tool", "spn", "add", f"MSSQLSvc/{name}", f"{server.host.name}$"])

    def serving(self) -> dict[str, Any]:
        """SQL Server; its services and its volume are proposed."""
        login = {"trust_server_certificate": True}
        each = [{"name": name} for name in self.instances]
        return {"sql": {"mode": self.mode, "instances": each, "login": login}}

    def answers(self, server: Windows) -> bool:
        """Whether an instance listens there."""
        if not server.host.pid:
            return False
        listening = server.host.run(["ss", "-Hltn"], timeout_s=20).stdout
        return any(f":{port} " in listening for port in self.instances.values())

    def end(self) -> None:
        """The lab is as it was."""
        self.stop()
        super().end()

    def has_arrived(self) -> None:
        """What was written before this was asked is on winbeta's copy: the partnership is in step."""
        ask = self.alpha.control.ask
        until("replication is in step", lambda: ask("machine", call="replica.groups")[0]["complete"])
