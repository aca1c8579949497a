"""A Samba file server under protection in the lab: alpha shares docs, beta stands by, the witness's machine is the administrator's, too.

Samba's daemon is a service of the engines, so the lab starts winbind and the engine at each boot and nothing else; the client knows
the name alpha only, and asks with a Kerberos ticket each time anew.
"""

from __future__ import annotations

from typing import Any

from tests.lab.domain import Lab
from tests.lab.fileclients import FileClients, probe
from tests.lab.pairstage import PairStage

ID = "fileprint_alpha_beta"
KEYTAB = "/etc/krb5.keytab"
SMBD = {
    "name": "smbd",
    "start_command": ["smbd", "--foreground", "--no-process-group"],
    "health_command": ["smbcontrol", "smbd", "ping"],
    "grace_s": 5,
}


class FileStage(PairStage, FileClients):
    """Two protected file servers, their engines, a witness, an administrator and a client."""

    application = "fileprint"

    def __init__(self, lab: Lab, beside: str = "") -> None:
        super().__init__(lab, beside=beside)

    def prepare(self) -> None:
        """The share itself lets the writer change and the reader read: what must be the same on the target."""
        sids = [self.alpha.run(["wbinfo", "-n", user]).stdout.split()[0] for user in ("writer", "reader", "operator")]
        masks = ("0x1301bf", "0x1200a9", "0x1301bf")
        aces = "".join(f"(A;;{mask};;;{sid})" for mask, sid in zip(masks, sids, strict=True))
        self.alpha.run(["sharesec", "docs", "--setsddl", f"D:{aces}"])

    def serving(self) -> dict[str, Any]:
        """Shares of Samba, its daemon, and how a client is served."""
        health = {"command": probe(self.operator_keytab), "timeout_s": 30, "within_s": 120}
        return {"samba": {}, "services": [SMBD], "health": health}
