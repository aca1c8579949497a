"""A Windows file server whose clients know an address of its own and an alternate name: both move, and come back.

An identity failover: nothing changes in DNS. The address is put on a real card, the name into the real directory by the target's own account; what its
clients, the domain and dtam do is real, the servers are simulations.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.domain import Lab
from tests.lab.places import ADMIN_PASSWORD_FILE
from tests.lab.waiting import until
from tests.lab.windows.alternates import ALTERNATE
from tests.lab.windowshosts import Windows
from tests.lab.windowspairstage import FILE
from tests.lab.windowstage import ID, WindowsStage

SERVICE, CARD = "10.53.0.150", "Ethernet"
SHORT = "files"
WRITES_OWN_NAMES = "(OA;;WPSW;80863791-dbe9-4eb8-837e-7f0ab55d9ac7;;PS)"
"""The attribute msDS-AdditionalDnsHostName, which is also the id of its validated write ([MS-ADTS] 3.1.1.3.1.1.6)."""


class IdentityStage(WindowsStage):
    """winalpha has the service's address besides its own, and the service's name."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab)
        self.name = f"{SHORT}.{lab.domain}"

    def prepare(self) -> None:
        """The name leads to the address, and its services belong to winalpha."""
        super().prepare()
        self.alpha.control.ask("machine", call="network.add", arguments=[CARD, SERVICE, 24])
        self.dc1.run(["samba-tool", "spn", "add", f"HOST/{self.name}", "winalpha$"])
        self._let_it_write_its_names()
        words = ["samba-tool", "dns", "add", "localhost", self.lab.domain, SHORT, "A", SERVICE, "-UAdministrator"]
        self.dc1.run(words, env={"PASSWD_FILE": str(ADMIN_PASSWORD_FILE)})
        until("the address is taken", lambda: SERVICE in on_card(self.alpha))

    def _let_it_write_its_names(self) -> None:
        """Windows' directory lets a computer write its own further names; Samba's does not by itself."""
        found = self.dc1.run(["samba-tool", "computer", "show", "winbeta", "--attributes=distinguishedName"]).stdout
        (own,) = [line.partition(": ")[2] for line in found.splitlines() if line.startswith("distinguishedName")]
        self.dc1.run(["samba-tool", "dsacl", "set", f"--objectdn={own}", f"--sddl={WRITES_OWN_NAMES}"])

    def _settings(self) -> dict[str, Any]:
        given = super()._settings()
        given["failover"].pop("dns")
        given["failover"] |= {
            "type": "identity",
            "identity": {"addresses": [{"source": SERVICE, "interface": CARD}]},
            "windows": {"names": "alternate"},
        }
        return given

    def alternates(self, server: Windows) -> list[str]:
        """The further names of its account, as the directory has them."""
        found = self.dc1.run(["samba-tool", "computer", "show", server.host.name, f"--attributes={ALTERNATE}"]).stdout
        return sorted(line.partition(": ")[2] for line in found.splitlines() if line.startswith(ALTERNATE))


def on_card(server: Windows) -> set[str]:
    """The addresses that the card has in truth."""
    shown = json.loads(server.host.run(["ip", "-4", "-j", "addr", "show", "dev", "eth0"]).stdout)
    return {one["local"] for card in shown for one in card["addr_info"]}


@pytest.fixture
def stage(lab: Lab) -> Iterator[IdentityStage]:
    made = IdentityStage(lab)
    try:
        made.begin()
        made.dtam("--fileprint", "configure", "--file", FILE)
        made.permit()
        made.dtam("--fileprint", "validate", "--protection", ID, "--fix", "--yes")
        made.dtam("--fileprint", "setup", "--file", FILE, "--yes")
        yield made
    finally:
        words = ["samba-tool", "dns", "delete", "localhost", lab.domain, SHORT, "A", SERVICE, "-UAdministrator"]
        made.dc1.run(words, env={"PASSWD_FILE": str(ADMIN_PASSWORD_FILE)}, check=False)
        made.end()


@pytest.mark.slow
@pytest.mark.covers("AM-15", "ID-02", "ID-03", "FS-02")
def test_address_and_alternate_name_go_to_the_target_and_come_back(stage: IdentityStage) -> None:
    stage.write("writer", "before.txt", "written on winalpha")
    until("winbeta has it", lambda: stage.arrived("before.txt"))
    stage.alpha.host.power_cut()
    stage.dtam("failover", "--protection", ID, "--force", "--yes")
    assert SERVICE in on_card(stage.beta)
    assert stage.name in stage.alternates(stage.beta)
    assert stage.read("writer", "before.txt") == "written on winalpha"
    stage.write("writer", "meanwhile.txt", "written on winbeta")

    stage.alpha.host.boot()
    until("winalpha is back", lambda: stage.status()["source"]["answers"])
    assert SERVICE not in on_card(stage.alpha), "somebody else answers for it"
    stage.dtam("failback", "--protection", ID, "--yes")
    assert SERVICE in on_card(stage.alpha)
    assert SERVICE not in on_card(stage.beta)
    assert stage.alternates(stage.beta) == []
    assert stage.read("writer", "meanwhile.txt") == "written on winbeta"
    assert stage.alpha.control.ask("failures") == stage.beta.control.ask("failures") == []
