"""The lab's simulated Windows servers: members of the domain whose only service is the simulation's process (tests/lab/windows).

They join when they are first asked for. The computer account is real, so are its SPNs, its keytab, its names in DNS and the tickets
with which clients come; what answers behind them is a simulation.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab import files, members
from tests.lab.hosts import PROJECT, LabHost
from tests.lab.places import (
    ADMIN_AUTH_FILE,
    ADMIN_PASSWORD_FILE,
    CA_FILE,
    DOMAIN,
    REALM,
    SECRETS,
    USER_PASSWORD_FILE,
    WORKGROUP,
)
from tests.lab.waiting import until
from tests.lab.windows.control import Control

STATE = Path("/var/lib/windows")
ACCOUNTS = SECRETS / "windows-accounts.json"
CERTIFICATE, KEY = SECRETS / "tls.pem", SECRETS / "tls.key"
LOG = Path("/var/log/windows.log")
KEYTAB = Path("/etc/krb5.keytab")
CONTROL = STATE / "control.sock"
MACHINE = STATE / "machine.json"  # settings of the machine that a test wrote before the first boot
ADMINISTRATORS = ("Administrator", "operator")  # of the domain, in the host's local group
REMOTE_MANAGERS = ("watcher",)


def join(host: LabHost) -> None:
    """Make its account with the SPNs that a Windows server has, and write who may log on."""
    host.write("/etc/samba/smb.conf", files.member_conf(host))
    host.run(["net", "ads", "join", "-A", ADMIN_AUTH_FILE, "--no-dns-updates"], timeout_s=180)
    # A Windows server's account has HOST, which stands for HTTP and cifs, and these two of its own.
    for service, deed in (("HTTP", "add"), ("cifs", "add"), ("WSMAN", "add_update_ads"), ("TERMSRV", "add_update_ads")):
        host.run(["net", "ads", "keytab", deed, service, "-P"])
    host.path(KEYTAB).chmod(0o600)
    members.register(host)
    host.write(ACCOUNTS, json.dumps(_accounts(host)), 0o600)


def _accounts(host: LabHost) -> dict[str, Any]:
    admin, user = (host.path(one).read_text() for one in (ADMIN_PASSWORD_FILE, USER_PASSWORD_FILE))

    def account(name: str, *groups: str) -> dict[str, Any]:
        password = admin if name == "Administrator" else user
        return {"password": password, "groups": list(groups), "upn": f"{name}@{REALM}"}

    domain = {f"{WORKGROUP}\\{one}": account(one, "Administrators") for one in ADMINISTRATORS}
    domain |= {f"{WORKGROUP}\\{one}": account(one, "Remote Management Users") for one in REMOTE_MANAGERS}
    domain |= {f"{WORKGROUP}\\{one}": account(one) for one in ("writer", "reader")}
    return {"local": {"Administrator": {"password": admin, "groups": ["Administrators"], "rid": 500}}, "domain": domain}


def start(host: LabHost) -> None:
    """Boot the simulation and wait until it serves."""
    host.run(["mkdir", "-p", "-m", "0700", STATE])
    settings = host.path(MACHINE).read_text() if host.path(MACHINE).exists() else "{}"
    argv = [
        *(sys.executable, "-m", "tests.lab.windows", "--state", STATE, "--name", host.name.upper(), "--domain", DOMAIN),
        *("--address", "0.0.0.0", "--own-address", host.address, "--accounts", ACCOUNTS, "--keytab", KEYTAB),
        *("--certificate", CERTIFICATE, "--key", KEY, "--client-authority", CA_FILE, "--machine", settings),
    ]
    before, log = Windows(host).boots, host.path(LOG)
    log.touch(0o600)
    said = log.stat().st_size
    # A daemon of the host: nobody here is its parent, its power is the host's.
    daemon = f'exec setsid -f "$@" >>{LOG} 2>&1 </dev/null'
    host.run(["sh", "-c", daemon, "sh", *argv], env={"PYTHONPATH": str(PROJECT)})
    until(f"{host.name} serves", lambda: Windows(host).boots > before or "Traceback" in log.read_text()[said:], 120)
    assert Windows(host).boots > before, f"{host.name} did not boot:\n{log.read_text()[said:]}"


def runs(host: LabHost) -> bool:
    """Whether the simulation runs on the host, which sees its own processes only."""
    return host.pid != 0 and not host.run(["pgrep", "-f", "tests.lab.windows"], check=False).returncode


def stop(host: LabHost) -> None:
    """End the simulation in good order."""
    Control(host.path(CONTROL)).ask("end")
    until(f"{host.name} has stopped", lambda: not runs(host), 60)


def _names(dc1: LabHost, account: str) -> set[str]:
    shown = dc1.run(["samba-tool", "spn", "list", account]).stdout.splitlines()
    return {line.strip() for line in shown if line.startswith("\t") and line.strip()}


def put_back(dc1: LabHost, servers: Sequence[Windows]) -> None:
    """Make servers what they were when they had joined: their disks, the SPNs of their accounts, their names in DNS."""
    names = {one.host.name: _names(dc1, f"{one.host.name}$") for one in servers}
    for one in servers:
        for name in names[one.host.name] - one.own_names():
            dc1.run(["samba-tool", "spn", "delete", name, f"{one.host.name}$"])
    for one in servers:
        for name in one.own_names() - names[one.host.name]:
            dc1.run(["samba-tool", "spn", "add", name, f"{one.host.name}$"])
        one.reinstall()
        shown = dc1.run(["dig", "+short", "@localhost", one.host.fqdn, "A"]).stdout.split()
        if shown != [one.host.address]:
            words = ["samba-tool", "dns", "cleanup", "localhost", one.host.fqdn, "-UAdministrator"]
            dc1.run(words, env={"PASSWD_FILE": str(ADMIN_PASSWORD_FILE)})
            members.register(one.host)


@dataclass(frozen=True)
class Windows:
    """One of them, with what only these can do. ``host`` is the host of the lab that carries it."""

    host: LabHost

    @property
    def http(self) -> str:
        """WinRM over HTTP, by the name that its SPNs have."""
        return f"http://{self.host.fqdn}:5985/wsman"

    @property
    def https(self) -> str:
        """WinRM over HTTPS; ``lab.ca_file`` verifies it."""
        return f"https://{self.host.fqdn}:5986/wsman"

    def own_names(self) -> set[str]:
        """The SPNs that its account had when it joined."""
        short, full = self.host.name, self.host.fqdn
        upper = {
            f"{service}/{name}"
            for service in ("HOST", "RestrictedKrbHost")
            for name in (short.upper(), short.upper() + full[len(short) :])
        }
        return upper | {f"{service}/{name}" for service in ("WSMAN", "TERMSRV") for name in (short, full)}

    @property
    def control(self) -> Control:
        """Faults on request, and the machine's own objects."""
        return Control(self.host.path(CONTROL))

    @property
    def log(self) -> str:
        """What the simulation said."""
        return self.host.path(LOG).read_text()

    @property
    def boots(self) -> int:
        """How often it has come up since its disk was new."""
        with contextlib.suppress(OSError, ValueError):
            return int(self.host.path(STATE / "ready").read_text())
        return 0

    def after_restart(self, boots_before: int) -> None:
        """Wait until it serves again after a restart that was asked for."""
        until(f"{self.host.name} serves again", lambda: self.boots > boots_before, 120)

    def reinstall(self, **machine: Any) -> None:
        """A new disk: the machine as it is installed, with other settings where they are given."""
        if not self.host.pid:
            self.host.power_on()
        elif runs(self.host):
            stop(self.host)
        self.host.run(["rm", "-rf", STATE])  # on the host: volumes of a test may be mounted there
        self.host.run(["mkdir", "-m", "0700", STATE])
        if machine:
            self.host.write(MACHINE, json.dumps(machine))
        start(self.host)
