"""Two servers of the lab with engines, under protection: alpha serves, beta stands by, the witness's machine is the administrator's, too.

What the application is, its stage adds: tests/lab/filestage.py, tests/lab/sqlstage.py.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import yaml

from tests.lab.domain import Lab
from tests.lab.hosts import LabHost
from tests.lab.waiting import until

STATE, TOKEN, HOME, FILE = (
    "/var/lib/dtam/engine",
    "/etc/dtam/{}.token",
    "/var/lib/dtam/admin",
    "/etc/dtam/protection.yaml",
)
INTERVAL_S, MISSED, LEASE_S = 0.5, 4, 4.0


class PairStage:
    """Two protected servers, their engines, a witness and an administrator. Clients know ``name`` only."""

    application = ""

    def __init__(self, lab: Lab, source: str = "alpha", target: str = "beta", beside: str = "") -> None:
        """``beside``: a further address of the source, at which its engine is reached when the other one is taken over."""
        self.lab = lab
        self.beside = beside
        self.alpha, self.beta = lab.host(source), lab.host(target)
        self.name = self.alpha.fqdn
        self.id = f"{self.application}_{source}_{target}"
        self.client = lab.host("client")
        self.admin, self.dc1 = lab.host("witness"), lab.host("dc1")
        self.operator_keytab = str(lab.keytab("operator"))
        self.is_cut = False
        self.hosts: tuple[LabHost, ...] = (self.alpha, self.beta)
        self._before = {host: host.services for host in self.hosts}

    # -- setting up

    def begin(self) -> None:
        """Everything that an administrator would find: the application, engines, a witness that knows them."""
        self.prepare()
        self._start_witness()
        self.start_engines()

    def join(self, other: PairStage) -> None:
        """Begin as a second source of another pair's target, whose witness and administrator are this one's, too."""
        self.hosts = (self.alpha,)
        assert (self.beta, self.admin) == (other.beta, other.admin)
        self.prepare()
        self.start_engines()

    def start_engines(self) -> None:
        """Each is started at every boot, and known to the witness and the administrator."""
        for host in self.hosts:
            host.run(["sh", "-c", "kill $(cat /run/samba/smbd.pid)"])
            address = self.beside if host is self.alpha else ""
            host.services = partial(self.boot, beside=address)
            start_engine(host, address)
            self._get_to_know(host)

    def prepare(self) -> None:
        """What the application is before anybody protects it."""

    def boot(self, host: LabHost, beside: str = "") -> None:
        """What a server of the pair starts by itself."""
        start_member(host, beside)

    def _start_witness(self) -> None:
        in_background(
            self.admin, "dtwitness", "run", "--state", "/var/lib/dtam/witness", "--address", self.admin.address
        )
        until("the witness listens", lambda: ":6322 " in self.admin.run(["ss", "-Hltn"]).stdout, 60)

    def _get_to_know(self, host: LabHost) -> None:
        """Its engine is enrolled at the witness and known to the administrator, who has a token for it."""
        token = TOKEN.format(host.name)
        host.path("/run/token").unlink(missing_ok=True)
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
        for host in self.hosts:
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
        """Nobody hears the source."""
        self.lab.link(self.alpha.name).cut()
        self.is_cut = True

    def mend(self) -> None:
        """The source is heard again."""
        self.is_cut = False
        self.lab.link(self.alpha.name).mend()

    def settled(self) -> None:
        """All that was written is on the target."""

        def nothing_waits() -> bool:
            (found,) = json.loads(self.engine(self.alpha, "connections", "list", "--json"))
            return bool(found["target_data_state"] == "good" and found["lag_s"] == 0)

        until("everything written has arrived", nothing_waits)

    def protect(self, failover: Mapping[str, Any]) -> None:
        """Write the protection file, let both accounts do what ``dtam rights`` says and nothing more, and enable it."""
        self.admin.write(FILE, yaml.safe_dump(self.settings(failover), sort_keys=False))
        self.dtam(f"--{self.application}", "configure", "--file", FILE)
        grant(self.lab, json.loads(self.dtam("rights", "--protection", self.id, "--json"))["grants"])
        self.dtam(f"--{self.application}", "setup", "--file", FILE, "--yes")

    def configured(self, failover: Mapping[str, Any]) -> dict[str, Any]:
        """Write the protection file and keep its settings; what was settled."""
        self.admin.write(FILE, yaml.safe_dump(self.settings(failover), sort_keys=False))
        found: dict[str, Any] = json.loads(self.dtam(f"--{self.application}", "configure", "--file", FILE, "--json"))
        return found

    def planned(self, failover: Mapping[str, Any]) -> str:
        """What validation says of such a protection, and what would be done; nothing is kept."""
        self.admin.write(FILE, yaml.safe_dump(self.settings(failover), sort_keys=False))
        return self.dtam(f"--{self.application}", "setup", "--file", FILE, "--plan")

    def settings(self, failover: Mapping[str, Any]) -> dict[str, Any]:
        """The protection as a file holds it; ``failover`` says how clients are led."""
        fingerprint = self.admin.run(["dtwitness", "fingerprint", "--state", "/var/lib/dtam/witness"]).stdout.strip()
        directory = {
            "domain": self.lab.domain,
            "controllers": [self.dc1.fqdn],
            "principal": "operator",
            "keytab_file": self.operator_keytab,
        }
        return {
            "application": self.application,
            "source": self.alpha.name,
            "target": self.beta.name,
            "name": self.name,
            "failover": {"directory": directory, **self.serving(), **failover},
            "monitoring": {
                "manual_intervention": False,
                "addresses": [self.alpha.address],
                "interval_s": INTERVAL_S,
                "missed": MISSED,
                "witness": {"address": self.admin.address, "fingerprint": fingerprint, "lease_s": LEASE_S},
            },
            "connection": {"orphans": {"action": "delete"}},
        }

    def serving(self) -> dict[str, Any]:
        """The application's own part of ``failover``."""
        return {}

    # -- asking

    def dtam(self, *words: str, code: int = 0) -> str:
        """What the administrator's command says."""
        done = self.admin.run(["dtam", *words], env={"DTAM_HOME": HOME}, check=False, timeout_s=300)
        assert done.returncode == code, f"dtam {' '.join(words)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def status(self) -> dict[str, Any]:
        """How the protection stands."""
        found: dict[str, Any] = json.loads(self.dtam("status", "--protection", self.id, "--json"))
        return found

    def engine(self, host: LabHost, *words: str) -> str:
        """``dtengine`` on a host."""
        return host.run(["dtengine", *words, "--state", STATE]).stdout

    def address(self) -> str:
        """Where the client's resolver leads it."""
        return self.client.run(["dig", "+short", f"@{self.dc1.address}", self.name, "A"]).stdout.strip()

    def measured(self, lost_s: float) -> dict[str, object]:
        """What the target remembers of its failover, in seconds."""
        (found,) = json.loads(self.engine(self.beta, "protections", "list", "--json"))
        runs = self.beta.path(f"{STATE}/runs").glob(f"{found['run_id']}.post_failover.run")
        without = re.findall(r"without owner: ([0-9.]+) s", "".join(one.read_text() for one in runs))
        return {
            "window": INTERVAL_S * MISSED,
            "lease": LEASE_S,
            "detected": round(found["detected_ns"] / 1e9 - lost_s, 2),
            "failed over": round(found["finished_ns"] / 1e9 - lost_s, 2),
            "without service names": [float(one) for one in without],
        }


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
