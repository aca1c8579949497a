"""What ``make lab LAB_HOSTS=windows`` makes ready: two simulated Windows servers with a share to protect, and a protection file on the client.

``LAB_HOSTS=sql``: a simulated SQL Server each on alpha and beta, with engines and a witness, not protected yet.
"""

from __future__ import annotations

from typing import Any

import yaml

from tests.lab.domain import Lab
from tests.lab.places import ADMIN_PASSWORD_FILE, DOMAIN, PLACES, REVERSE_ZONES
from tests.lab.windowshosts import Windows

WINDOWS = "windows"
SQL = "sql"
SERVERS = tuple(name for name, place in PLACES.items() if place.role == WINDOWS)
FILE = "/etc/lab/windows.yaml"
MACHINE: dict[str, Any] = {
    "volumes": [
        {"letter": "C", "label": "System"},
        {"letter": "E", "label": "Data", "size": 1 << 36},
        {"letter": "L", "label": "Log", "size": 1 << 34},
    ],
    "features": ["FileAndStorage-Services", "File-Services", "FS-FileServer", "Storage-Services", "Storage-Replica"],
}
ASK = (
    f"export KRB5CCNAME=FILE:$(mktemp) && kinit Administrator <{ADMIN_PASSWORD_FILE} >/dev/null && "
    "exec smbclient --use-kerberos=required //winalpha.lab.example/docs -c ls"
)
"""With a ticket of its own each time: one for the name's old account would be refused after a failover."""
TO_TRY = f"""
Two simulated Windows servers, winalpha and winbeta (nothing of Windows runs here: docs/explanation/windows-lab.md); winalpha shares docs. On client:

  kinit Administrator </etc/lab/administrator.password
  export DTAM_HOME=/root/dtam
  dtam hosts add winalpha --winrm {PLACES["winalpha"].address} --host-name winalpha.lab.example
  dtam hosts add winbeta --winrm {PLACES["winbeta"].address} --host-name winbeta.lab.example
  dtam doctor winalpha
  dtam hosts install winalpha && dtam hosts install winbeta
  dtam --fileprint setup --file {FILE}
  dtam --fileprint status
  smbclient --use-kerberos=required //winalpha.lab.example/docs -c 'put /etc/hosts hello; ls'

Take winalpha's power (in this directory), fail over, give the power back, go home:

  make lab-power HOST=winalpha POWER=off
  dtam --fileprint failover --force                                              # on client, and so on
  smbclient --use-kerberos=required //winalpha.lab.example/docs -c ls            # winbeta answers; a new kinit may be needed
  make lab-power HOST=winalpha POWER=on
  dtam --fileprint failback
"""


SQL_TO_TRY = """
A simulated SQL Server each on alpha and beta (nothing of SQL Server runs here: docs/explanation/sql-model.md), with engines; witness is the administrator's machine.
What to type is docs/tutorial/sql-server.md, from "Protect it" on.
"""


def prepare_sql(lab: Lab) -> None:
    """SQL Server with an application's database on alpha and an empty one on beta, engines, a witness, and who may do what is to be done."""
    from tests.lab.sqlstage import SqlStage

    SqlStage(lab).begin()


def prepare(lab: Lab) -> None:
    """Both servers joined and installed, a share on a volume of its own, and what is to be protected in a file."""
    source, target = (lab.windows(name) for name in SERVERS)
    for server in (source, target):
        server.reinstall(**MACHINE)
    _share(source)
    lab.host("client").write(FILE, yaml.safe_dump(_settings(lab, source, target), sort_keys=False))


def _share(server: Windows) -> None:
    ask = server.control.ask
    server.host.path(ask("machine", call="files.open_path", arguments=["E:\\docs"])).mkdir()
    ask("share", name="docs", path="E:\\docs")


def _settings(lab: Lab, source: Windows, target: Windows) -> dict[str, Any]:
    controller = lab.host("dc1")
    directory = {"domain": DOMAIN, "controllers": [controller.fqdn], "principal": "Administrator"}
    return {
        "application": "fileprint",
        "source": source.host.name,
        "target": target.host.name,
        "name": source.host.fqdn,
        "connection": {
            "replication": "storage_replica",
            "storage_replica": {"source_log_volume": "L:"},
            "mode": "synchronous",
        },
        "failover": {
            "directory": directory | {"password_file": str(ADMIN_PASSWORD_FILE)},
            "dns": {
                "servers": [controller.address],
                "security": "kerberos",
                "addresses": [{"source": source.host.address, "target": target.host.address}],
                "zones": [DOMAIN, REVERSE_ZONES[0]],
            },
            "health": {"command": ["sh", "-c", ASK], "timeout_s": 30, "within_s": 120},
        },
    }
