"""A Samba file server under protection in the lab: alpha shares docs, beta stands by, the witness's machine is the administrator's, too.

Samba's daemon is a service of the engines, so the lab starts winbind and the engine at each boot and nothing else; the client knows
the name alpha only, and asks with a Kerberos ticket each time anew.
"""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import yaml

from tests.lab.domain import Lab
from tests.lab.fileclients import FileClients, probe
from tests.lab.hosts import LabHost
from tests.lab.waiting import until

ID = "fileprint_alpha_beta"
STATE, TOKEN, HOME, FILE = (
    "/var/lib/dtam/engine",
    "/etc/dtam/{}.token",
    "/var/lib/dtam/admin",
    "/etc/dtam/protection.yaml",
)
KEYTAB = "/etc/krb5.keytab"
INTERVAL_S, MISSED, LEASE_S = 0.5, 4, 4.0
SMBD = {
    "name": "smbd",
    "start_command": ["smbd", "--foreground", "--no-process-group"],
    "health_command": ["smbcontrol", "smbd", "ping"],
    "grace_s": 5,
}


class FileStage(FileClients):
    """Two protected servers, their engines, a witness, an administrator and a client."""

    def __init__(self, lab: Lab, beside: str = "") -> None:
        """``beside``: a further address of alpha, at which its engine is reached when the other one is taken over."""
        super().__init__(lab, lab.host("alpha").fqdn)
        self.beside = beside
        self.alpha, self.beta = lab.host("alpha"), lab.host("beta")
        self.admin, self.dc1 = lab.host("witness"), lab.host("dc1")
        self.operator_keytab = str(lab.keytab("operator"))
        self.is_cut = False
        self._before = {host: host.services for host in (self.alpha, self.beta)}

    # -- setting up

    def begin(self) -> None:
        """Everything that an administrator would find: engines, a witness that knows them, the target's right in the domain."""
        self._permit()
        self._start_witness()
        for host in (self.alpha, self.beta):
            host.run(["sh", "-c", "kill $(cat /run/samba/smbd.pid)"])
            address = self.beside if host is self.alpha else ""
            host.services = partial(start_member, beside=address)
            start_engine(host, address)
            self._get_to_know(host)

    def _permit(self) -> None:
        """The share itself lets the writer change and the reader read: what must be the same on the target."""
        sids = [self.alpha.run(["wbinfo", "-n", user]).stdout.split()[0] for user in ("writer", "reader", "operator")]
        masks = ("0x1301bf", "0x1200a9", "0x1301bf")
        aces = "".join(f"(A;;{mask};;;{sid})" for mask, sid in zip(masks, sids, strict=True))
        self.alpha.run(["sharesec", "docs", "--setsddl", f"D:{aces}"])

    def _start_witness(self) -> None:
        in_background(
            self.admin, "dtwitness", "run", "--state", "/var/lib/dtam/witness", "--address", self.admin.address
        )
        until("the witness listens", lambda: ":6322 " in self.admin.run(["ss", "-Hltn"]).stdout, 60)

    def _get_to_know(self, host: LabHost) -> None:
        """Its engine is enrolled at the witness and known to the administrator, who has a token for it."""
        token = TOKEN.format(host.name)
        self.engine(host, "token", "create", "administrator", "--scope", "admin", "--to", "/run/token")
        self.admin.write(token, host.path("/run/token").read_text(), 0o600)
        who = json.loads(self.engine(host, "server", "--json"))
        holder = ["--holder", who["engine_id"], "--fingerprint", who["fingerprint"]]
        words = ["dtwitness", "enrol", "-", "--state", "/var/lib/dtam/witness", "--name", host.name, *holder]
        self.admin.run(words, input=who["certificate_pem"])
        known = [
            "--address",
            self.beside if host is self.alpha and self.beside else host.address,
            "--fingerprint",
            who["fingerprint"],
            "--token-file",
            token,
        ]
        self.dtam("hosts", "add", host.name, *known)

    def end(self) -> None:
        """The lab is as it was: nobody protected, Samba's daemon started by the lab itself."""
        for host in (self.alpha, self.beta):
            host.services = self._before[host]
            host.run(
                [
                    "sh",
                    "-c",
                    "pkill -x smbd; pkill -x winbindd; pkill -f '[d]tengine run'; rm -rf /var/lib/dtam /etc/dtam",
                ]
            )
        self.admin.run(["sh", "-c", "pkill -f '[d]twitness run'; rm -rf /var/lib/dtam /etc/dtam"])
        self.lab.reset()

    def cut(self) -> None:
        """Nobody hears alpha."""
        self.lab.link("alpha").cut()
        self.is_cut = True

    def mend(self) -> None:
        """alpha is heard again."""
        self.is_cut = False
        self.lab.link("alpha").mend()

    def settled(self) -> None:
        """All that was written is on the target."""

        def nothing_waits() -> bool:
            (found,) = json.loads(self.engine(self.alpha, "connections", "list", "--json"))
            return bool(found["target_data_state"] == "good" and found["lag_s"] == 0)

        until("everything written has arrived", nothing_waits)

    def protect(self, failover: Mapping[str, Any]) -> None:
        """Write the protection file, let both accounts do what ``dtam rights`` says and nothing more, and enable it."""
        self.admin.write(FILE, yaml.safe_dump(self.settings(failover), sort_keys=False))
        self.dtam("--fileprint", "configure", "--file", FILE)
        grant(self.lab, json.loads(self.dtam("rights", "--protection", ID, "--json"))["grants"])
        self.dtam("--fileprint", "setup", "--file", FILE, "--yes")

    def configured(self, failover: Mapping[str, Any]) -> dict[str, Any]:
        """Write the protection file and keep its settings; what was settled."""
        self.admin.write(FILE, yaml.safe_dump(self.settings(failover), sort_keys=False))
        found: dict[str, Any] = json.loads(self.dtam("--fileprint", "configure", "--file", FILE, "--json"))
        return found

    def planned(self, failover: Mapping[str, Any]) -> str:
        """What validation says of such a protection, and what would be done; nothing is kept."""
        self.admin.write(FILE, yaml.safe_dump(self.settings(failover), sort_keys=False))
        return self.dtam("--fileprint", "setup", "--file", FILE, "--plan")

    def settings(self, failover: Mapping[str, Any]) -> dict[str, Any]:
        """The protection as a file holds it; ``failover`` says how clients are led."""
        fingerprint = self.admin.run(["dtwitness", "fingerprint", "--state", "/var/lib/dtam/witness"]).stdout.strip()
        return {
            "application": "fileprint",
            "source": "alpha",
            "target": "beta",
            "name": self.name,
            "failover": {
                "samba": {},
                "directory": {
                    "domain": self.lab.domain,
                    "controllers": [self.dc1.fqdn],
                    "principal": "operator",
                    "keytab_file": self.operator_keytab,
                },
                "services": [SMBD],
                "health": {"command": probe(self.operator_keytab), "timeout_s": 30, "within_s": 120},
            }
            | failover,
            "monitoring": {
                "manual_intervention": False,
                "addresses": [self.alpha.address],
                "interval_s": INTERVAL_S,
                "missed": MISSED,
                "witness": {"address": self.admin.address, "fingerprint": fingerprint, "lease_s": LEASE_S},
            },
            "connection": {"orphans": {"action": "delete"}},
        }

    # -- asking

    def dtam(self, *words: str, code: int = 0) -> str:
        """What the administrator's command says."""
        done = self.admin.run(["dtam", *words], env={"DTAM_HOME": HOME}, check=False, timeout_s=300)
        assert done.returncode == code, f"dtam {' '.join(words)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def status(self) -> dict[str, Any]:
        """How the protection stands."""
        found: dict[str, Any] = json.loads(self.dtam("status", "--protection", ID, "--json"))
        return found

    def engine(self, host: LabHost, *words: str) -> str:
        """``dtengine`` on a host."""
        return host.run(["dtengine", *words, "--state", STATE]).stdout

    def address(self) -> str:
        """Where the client's resolver leads it."""
        return self.client.run(["dig", "+short", f"@{self.dc1.address}", self.name, "A"]).stdout.strip()


def grant(lab: Lab, printed: Sequence[Mapping[str, Any]]) -> None:
    """What was printed for the domain is done as it was printed; those of one object one after the other."""
    admin, by_object = lab.ticket("dc1", "Administrator"), dict[str, list[str]]()
    for one in printed:
        if "domain administrator" in one["run_on"]:
            by_object.setdefault(one["what"], []).extend(one["commands"])
    assert by_object
    each = (["sh", "-ec", "\n".join(lines)] for lines in by_object.values())
    running = [lab.host("dc1").popen(words, env=admin, stdout=subprocess.DEVNULL) for words in each]
    assert [one.wait(timeout=120) for one in running] == [0] * len(running)


def start_member(host: LabHost, beside: str = "") -> None:
    """What a protected member starts at boot: winbind and its engine, which alone starts Samba's daemon."""
    host.run(["winbindd", "-D"])
    start_engine(host, beside)


def in_background(host: LabHost, *words: str) -> None:
    """As a service manager does; what it says is in /var/log."""
    host.run(["sh", "-c", f"setsid {shlex.join(words)} </dev/null >>/var/log/{words[0]}.log 2>&1 &"])


def start_engine(host: LabHost, beside: str = "") -> None:
    """The engine, as the service manager would start it; with a further address of its host."""
    if beside:
        (link,) = {one["ifname"] for one in json.loads(host.run(["ip", "-j", "a"]).stdout) if one["ifname"] != "lo"}
        host.run(["ip", "address", "replace", f"{beside}/24", "dev", link])
    own = [] if beside else ["--address", host.address]
    in_background(host, "dtengine", "run", "--state", STATE, "--name", host.name, *own)
    until(f"the engine of {host.name} listens", lambda: ":6320 " in host.run(["ss", "-Hltn"]).stdout, 60)
