"""Put a lab back between tests: wires, power, what the directory says about the members, their services, and BIND's zones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tests.lab import bind, members
from tests.lab.controllers import PYTHON
from tests.lab.hosts import LabHost

BASELINE = "/etc/lab/baseline.json"
KEPT = ("/etc/samba/smb.conf", "/etc/hosts", "/etc/resolv.conf", "/etc/krb5.conf", "/etc/nsswitch.conf")
COPIES = "/etc/lab/copies"
SCRIPT = Path(__file__).with_name("baseline.py")


def save(hosts: Mapping[str, LabHost]) -> None:
    """Remember how things are now; they run."""
    hosts["dc1"].run([PYTHON, SCRIPT, "save", BASELINE])
    for name in ("alpha", "beta", "client", "witness"):
        there = [one for one in KEPT if hosts[name].path(one).exists()]
        hosts[name].run(["cp", "--parents", "-a", *there, _copies(hosts[name])])


def _copies(host: LabHost) -> str:
    host.run(["mkdir", "-p", COPIES])
    return COPIES


def restore(hosts: Mapping[str, LabHost]) -> None:
    """Make things what they were when they were saved; the hosts have power and their wires are whole."""
    hosts["dc1"].run([PYTHON, SCRIPT, "restore", BASELINE])
    for name in ("alpha", "beta", "client", "witness"):
        hosts[name].run(["cp", "-aT", COPIES, "/"])
        _own_addresses_only(hosts[name])
    for name in ("alpha", "beta"):
        _samba(hosts[name])
    _zones(hosts["ns2"])


def _own_addresses_only(host: LabHost) -> None:
    shown = json.loads(host.run(["ip", "-4", "-j", "addr", "show", "dev", "eth0"]).stdout)
    addresses = {one["local"]: one["prefixlen"] for one in shown[0]["addr_info"]}
    for address, prefix in addresses.items():
        if address != host.address:
            host.run(["ip", "addr", "del", f"{address}/{prefix}", "dev", "eth0"])
    if host.address not in addresses:
        host.run(["ip", "addr", "add", f"{host.address}/24", "dev", "eth0"])
        host.run(["ip", "route", "replace", "default", "via", host.place.router])


def _samba(host: LabHost) -> None:
    for share in host.run(["net", "conf", "listshares"]).stdout.split():
        host.run(["net", "conf", "delshare", share])
    host.run(["sh", "-c", "rm -f /var/lib/samba/usershares/*"])
    if (
        host.run(["pgrep", "-x", "smbd"], check=False).returncode
        or host.run(["pgrep", "-x", "winbindd"], check=False).returncode
    ):
        members.stop(host)
        members.start(host)
    host.run(["smbcontrol", "all", "reload-config"])


def _zones(host: LabHost) -> None:
    bind.stop(host)
    host.run(["sh", "-c", "rm -f /var/lib/bind/*"])
    bind.configure(host)
    bind.start(host)
