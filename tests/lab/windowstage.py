"""A Windows file server under protection in the lab: winalpha shares docs, winbeta stands by; beta is the administrator's machine at the target's site.

Both servers have real SMB; the client knows the name winalpha only, and asks with a Kerberos ticket each time anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.lab.fileclients import FileClients, probe
from tests.lab.watching_story import owners
from tests.lab.windowshosts import STATE, Windows
from tests.lab.windowspairstage import WindowsPairStage

ID = "fileprint_winalpha_winbeta"
MASKS = {"writer": "0x1301bf", "reader": "0x1200a9", "operator": "0x1301bf"}


class WindowsStage(WindowsPairStage, FileClients):
    """Two protected file servers, a witness, an administrator with `dtam serve`, and a client."""

    application = "fileprint"

    def prepare(self) -> None:
        """The share lets the writer change and the reader read: what must be the same on the target."""
        ask = self.alpha.control.ask
        self.alpha.host.path(ask("machine", call="files.open_path", arguments=["E:\\docs"])).mkdir()
        sids = {user: ask("machine", call="accounts.sid", arguments=[f"LAB\\{user}"]) for user in MASKS}
        sddl = "".join(f"(A;;{MASKS[user]};;;{sid})" for user, sid in sids.items())
        ask("share", name="docs", path="E:\\docs", sddl=f"O:BAG:BAD:{sddl}")

    def serving(self) -> dict[str, Any]:
        """How a client is served."""
        return {"health": {"command": probe(self.keytab), "timeout_s": 30, "within_s": 120}}

    def arrived(self, name: str) -> bool:
        """Whether winbeta's copy of the volume has a file of the share."""
        return any(self.beta.host.path(f"{STATE}/machine/replica").glob(f"*/E/docs/{name}"))

    def serves(self, server: Windows) -> bool:
        """Whether it offers the share to clients."""
        return server.host.pid != 0 and offers(server)["share docs"]

    def owners(self) -> Mapping[str, list[str]]:
        """Who offers the share, and where the name leads."""
        servers = {one.host.name: one for one in (self.alpha, self.beta)}
        hosts = [one.host for one in servers.values()]
        asked = self.client.run(["dig", "+short", "+time=1", f"@{self.dc1.address}", self.name, "A"], check=False)
        return owners(hosts, lambda host: offers(servers[host.name])) | {"name in DNS": asked.stdout.split()}


def offers(server: Windows) -> dict[str, bool]:
    """What its file server offers: it listens, and the share is one of those that it was told to serve."""
    said = server.host.run(["sh", "-c", "ss -Hltn; cat /etc/samba/windows.conf 2>/dev/null"], timeout_s=20).stdout
    return {"share docs": ":445 " in said and "[docs]" in said}


def sddl(server: Windows) -> str:
    """Who may do what with the share, by the server's own word."""
    return str(server.control.ask("machine", call="shares.get", arguments=["docs"])["sddl"])
