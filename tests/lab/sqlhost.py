"""A Linux host of the lab with SQL Server's simulation on it, laid out as the package mssql-server does it: files, user, names in the domain."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.lab.certificates import Authority
from tests.lab.domain import Lab
from tests.lab.hosts import PROJECT, LabHost
from tests.lab.places import WORKGROUP
from tests.lab.sqlconf import ACCOUNTS, CONF, DATA, FIRST_PASSWORD, LOG, OWN, ROOT, RUNNING, SECRETS

USER = "mssql"
SERVER, TOOL = Path("/opt/mssql/bin/sqlservr"), Path("/opt/mssql/bin/mssql-conf")
KEYTAB, CERTIFICATE, KEY = SECRETS / "mssql.keytab", SECRETS / "mssql.pem", SECRETS / "mssql.key"
PORT = 1433
UNIT = "mssql-server"
SYSTEMCTL = Path("/usr/local/sbin/systemctl")
# Of what the user may read by right only the interpreter is wanted, which lies in a directory of root's.
BECOME = (
    f"setpriv --reuid={USER} --regid={USER} --clear-groups --inh-caps=+dac_read_search --ambient-caps=+dac_read_search"
)
RUN = f"env PYTHONPATH={PROJECT} PYTHONDONTWRITEBYTECODE=1 {sys.executable} -m tests.lab.sqlconf"


ABOUT = "# A simulation, see tests/lab/sqlserver.\n"


def install(host: LabHost, password: str, authority: Authority, names: tuple[str, ...] = ()) -> None:
    """Put it there, not started. ``password`` is sa's; the certificate is for the host's own name and ``names``."""
    if host.run(["id", USER], check=False).returncode:
        host.run(["useradd", "--system", "--home-dir", ROOT, "--shell", "/usr/sbin/nologin", USER])
    host.run(["mkdir", "-p", DATA, LOG, SECRETS, OWN, SERVER.parent])
    host.write(SERVER, f"#!/bin/sh\n{ABOUT}install -d -o {USER} {RUNNING}\nexec {BECOME} {RUN} run\n", 0o755)
    host.write(SYSTEMCTL, Path(__file__).with_name("units.sh").read_text(), 0o755)
    host.write(f"/etc/lab/units/{UNIT}", f"{SERVER}\n")
    host.run(["systemctl", "enable", UNIT])
    host.write(TOOL, f'#!/bin/sh\nexec {RUN} "$@"\n', 0o755)
    host.write(FIRST_PASSWORD, password, 0o600)
    key, certificate = authority.issue_named((host.fqdn, *names), host.address)
    host.write(CERTIFICATE, certificate)
    host.write(KEY, key, 0o600)
    host.write(CONF, _conf({"network": {"tcpport": str(PORT), "tlscert": str(CERTIFICATE), "tlskey": str(KEY)}}))
    _own(host)


def _conf(sections: Mapping[str, Mapping[str, str]]) -> str:
    return "".join(
        f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items()) for name, keys in sections.items()
    )


def _own(host: LabHost) -> None:
    host.run(["chown", "-R", f"{USER}:{USER}", ROOT, OWN])
    host.run(["chmod", "0700", SECRETS])


def join(lab: Lab, host: LabHost, users: tuple[str, ...]) -> None:
    """Its service name is its computer account's, whose keys it has; it knows these users and groups of the domain."""
    for name in (f"{host.fqdn}:{PORT}", host.fqdn):
        lab.host("dc1").run(["samba-tool", "spn", "add", f"MSSQLSvc/{name}", f"{host.name.upper()}$"])
    host.run(["cp", "/etc/krb5.keytab", KEYTAB])
    sids = {f"{WORKGROUP}\\{one}": host.run(["wbinfo", "-n", one]).stdout.split()[0] for one in users}
    host.write(ACCOUNTS, json.dumps(sids))
    _own(host)


def start(host: LabHost) -> None:
    """As the service manager does."""
    host.run(["systemctl", "start", UNIT])


def listens(host: LabHost) -> bool:
    """Whether it answers there."""
    return host.pid != 0 and f":{PORT} " in host.run(["ss", "-Hltn"]).stdout


def remove(host: LabHost) -> None:
    """It was never there; nothing of it runs."""
    host.run(
        ["sh", "-c", f"pkill -KILL -u {USER}; rm -rf {ROOT} {OWN} {SERVER.parent} {SYSTEMCTL} /etc/lab/units"],
        check=False,
    )
