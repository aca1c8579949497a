"""SQL Server on a Linux host of the lab: mssql.conf, the tool that edits it, and the simulation started as it says.

python -m tests.lab.sqlconf run                             what /opt/mssql/bin/sqlservr does
python -m tests.lab.sqlconf set|unset|get SECTION.KEY [V]   what /opt/mssql/bin/mssql-conf does
"""

from __future__ import annotations

import configparser
import os
import socket
import sys
from pathlib import Path

ROOT = Path("/var/opt/mssql")
RUNNING = Path("/run/mssql")
OWN = Path("/var/lib/mssql")
"""What belongs to the machine and to no database."""
CONF = ROOT / "mssql.conf"
DATA, LOG, SECRETS = ROOT / "data", ROOT / "log", ROOT / "secrets"
FIRST_PASSWORD = SECRETS / "sa.password"
"""Of a new instance; real ones are told by an environment variable when they are set up."""
ACCOUNTS = SECRETS / "accounts.json"
"""Accounts of the domain with their SIDs, which a real one asks of the domain."""


def read() -> configparser.ConfigParser:
    """mssql.conf; empty where there is none."""
    conf = configparser.ConfigParser()
    conf.read(CONF)
    return conf


def argv(machine: str) -> list[str]:
    """The words that start the simulation."""
    conf = read()

    def said(section: str, key: str, otherwise: str = "") -> str:
        return conf.get(section, key, fallback=otherwise)

    words = [sys.executable, "-m", "tests.lab.sqlserver", "--root", str(OWN), "--instance", "MSSQLSERVER"]
    words += [
        "--control",
        str(RUNNING / "control.sock"),
        "--machine",
        machine,
        "--platform",
        "linux",
        "--volume",
        f"{ROOT}={ROOT}",
    ]
    words += ["--address", said("network", "ipaddress", "0.0.0.0"), "--port", said("network", "tcpport", "1433")]
    words += ["--domain", said("lab", "domain", "LAB"), "--version", said("lab", "version", "2019")]
    words += ["--collation", said("language", "collation", "SQL_Latin1_General_CP1_CI_AS")]
    words += ["--data-path", said("filelocation", "defaultdatadir", str(DATA))]
    words += ["--log-path", said("filelocation", "defaultlogdir", str(DATA))]
    for option, path in (
        ("--sa-password-file", str(FIRST_PASSWORD)),
        ("--accounts", str(ACCOUNTS)),
        ("--keytab", said("network", "kerberoskeytabfile", str(SECRETS / "mssql.keytab"))),
        ("--certificate", said("network", "tlscert")),
        ("--key", said("network", "tlskey")),
    ):
        words += [option, path] if path and Path(path).exists() else []
    return words


def edit(what: str, name: str, value: str = "") -> int:
    """Change or tell one setting."""
    conf, (section, _, key) = read(), name.partition(".")
    if what == "get":
        sys.stdout.write(f"{section}.{key} = {conf.get(section, key, fallback='')}\n")
        return 0
    if what == "set":
        if not conf.has_section(section):
            conf.add_section(section)
        conf.set(section, key, value)
    elif not conf.remove_option(section, key):
        return 1
    with CONF.open("w") as out:
        conf.write(out)
    sys.stdout.write("SQL Server needs to be restarted in order to apply this setting.\n")
    return 0


def main() -> None:
    """From the command line."""
    what, *rest = sys.argv[1:]
    if what == "run":
        os.execv(sys.executable, argv(socket.gethostname().upper()))
    sys.exit(edit(what, *rest))


if __name__ == "__main__":
    main()
