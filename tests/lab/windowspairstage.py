"""Two simulated Windows servers under protection in the lab: winalpha serves, winbeta stands by; beta is the administrator's machine at the target's site.

Both servers are simulations that are real members of the domain; `dtam serve` runs as a process on the administrator's machine. What the application
is, its stage adds: tests/lab/windowstage.py, tests/lab/sqlwindowstage.py.
"""

from __future__ import annotations

import json
import shlex
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import yaml

from tests.lab.domain import Lab
from tests.lab.pairstage import grant, in_background
from tests.lab.places import REVERSE_ZONES
from tests.lab.waiting import until

HOME, FILE, WITNESS = "/var/lib/dtam/admin", "/etc/dtam/protection.yaml", "/var/lib/dtam/witness"
SERVED, LOG = "/run/serve.pid", "/var/log/serve.log"
INTERVAL_S, MISSED, LEASE_S, GRACE_S = 0.5, 4, 8.0, 3.0
MACHINE: dict[str, Any] = {
    "volumes": [
        {"letter": "C", "label": "System"},
        {"letter": "E", "label": "Data", "size": 1 << 36},
        {"letter": "L", "label": "Log", "size": 1 << 34},
    ],
    "features": ["FileAndStorage-Services", "File-Services", "FS-FileServer", "Storage-Services", "Storage-Replica"],
}


class WindowsPairStage:
    """Two protected servers, a witness and an administrator with `dtam serve`. Clients know ``name`` only."""

    application = ""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.alpha, self.beta = lab.windows("winalpha"), lab.windows("winbeta")
        self.name = self.alpha.host.fqdn
        self.id = f"{self.application}_winalpha_winbeta"
        self.client = lab.host("client")
        self.admin, self.witness, self.dc1 = lab.host("beta"), lab.host("witness"), lab.host("dc1")
        self.keytab = str(lab.keytab("operator"))

    # -- setting up

    def begin(self) -> None:
        """What an administrator would find: the application, a witness, and both servers known to dtam."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda server: server.reinstall(**self.machine()), (self.alpha, self.beta)))
        self.prepare()
        in_background(self.witness, "dtwitness", "run", "--state", WITNESS, "--address", self.witness.address)
        for server in (self.alpha, self.beta):
            known = ["--winrm", server.host.address, "--host-name", server.host.fqdn]
            login = ["--principal", f"operator@{self.lab.realm}", "--keytab", self.keytab]
            self.dtam("hosts", "add", server.host.name, *known, *login)
            self.dtam("hosts", "install", server.host.name, "--yes")
        until("the witness listens", lambda: ":6322 " in self.witness.run(["ss", "-Hltn"]).stdout)
        self.admin.write(FILE, yaml.safe_dump(self._settings(), sort_keys=False))

    def machine(self) -> dict[str, Any]:
        """What both servers are, as they are installed."""
        return MACHINE

    def prepare(self) -> None:
        """What the application is before anybody protects it."""

    def serving(self) -> dict[str, Any]:
        """The application's own part of ``failover``."""
        return {}

    def _settings(self) -> dict[str, Any]:
        shown = self.witness.run(["dtwitness", "fingerprint", "--state", WITNESS]).stdout.strip()
        moved = {"source": self.alpha.host.address, "target": self.beta.host.address}
        return {
            "application": self.application,
            "source": "winalpha",
            "target": "winbeta",
            "name": self.name,
            "connection": {
                "replication": "storage_replica",
                "storage_replica": {"source_log_volume": "L:"},
                "mode": "synchronous",
            },
            "failover": {
                "directory": {
                    "domain": self.lab.domain,
                    "controllers": [self.dc1.fqdn],
                    "principal": "operator",
                    "keytab_file": self.keytab,
                },
                "dns": {
                    "servers": [self.dc1.address],
                    "security": "kerberos",
                    "addresses": [moved],
                    "zones": [self.lab.domain, REVERSE_ZONES[0]],
                },
                **self.serving(),
            },
            "monitoring": {
                "manual_intervention": False,
                "interval_s": INTERVAL_S,
                "missed": MISSED,
                "witness": {"address": self.witness.address, "fingerprint": shown},
                "lease": {"lease_s": LEASE_S, "grace_s": GRACE_S},
            },
        }

    def permit(self) -> None:
        """What ``dtam rights`` prints is done, and the witness admits this machine; nothing more."""
        grant(self.lab, json.loads(self.dtam("rights", "--protection", self.id, "--json"))["grants"])
        certificate = self.admin.path(f"{HOME}/witness/witness.pem").read_text()
        self.witness.run(["dtwitness", "enrol", "-", "--state", WITNESS, "--name", "dtam"], input=certificate)

    def end(self) -> None:
        """The lab is as it was: nobody protected, nothing of dtam's running."""
        self.stop_serving()
        self.admin.run(["rm", "-rf", "/var/lib/dtam", "/etc/dtam"])
        self.witness.run(["sh", "-c", "pkill -f '[d]twitness run'; rm -rf /var/lib/dtam"])
        self.alpha.host.boot()
        self.beta.host.boot()
        self.lab.reset_windows()
        self.lab.reset()

    # -- dtam serve

    def serve(self) -> None:
        """Start `dtam serve`, and wait until it looks."""
        words = f"DTAM_HOME={HOME} setsid dtam serve --json </dev/null >{LOG} 2>&1 & echo $! >{SERVED}"
        self.admin.run(["sh", "-c", words])
        until("dtam serve watches", lambda: self.said("looking again in") or self.said("was cut off and goes on"))

    def kill_serve(self) -> None:
        """As nothing can be caught."""
        self.admin.run(["kill", "-KILL", self.admin.path(SERVED).read_text().strip()])
        self.admin.path(SERVED).unlink()

    def stop_serving(self) -> None:
        """In order, where it runs."""
        served = self.admin.path(SERVED)
        if served.exists():
            pid = served.read_text().strip()
            self.admin.run(["kill", "-TERM", pid], check=False)
            until("dtam serve has ended", lambda: not self.admin.path(f"/proc/{pid}").exists())
            served.unlink()

    def said(self, words: str) -> float | None:
        """When `dtam serve` first said this since it was started, in seconds since the epoch."""
        lines = (json.loads(line) for line in self.admin.path(LOG).read_text().splitlines() if line.startswith("{"))
        return next((float(line["at_s"]) for line in lines if words in line["says"]), None)

    # -- asking

    def dtam(self, *words: str, code: int = 0) -> str:
        """What the administrator's command says."""
        done = self.admin.run(["dtam", *words], env={"DTAM_HOME": HOME}, check=False, timeout_s=300)
        assert done.returncode == code, f"dtam {shlex.join(words)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def status(self) -> dict[str, Any]:
        """How the protection stands."""
        found: dict[str, Any] = json.loads(self.dtam("status", "--protection", self.id, "--json"))
        return found
