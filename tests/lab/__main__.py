"""The lab for people.

python -m tests.lab up [HOST ...]             up in the foreground until Ctrl-C, with dc2 or gamma when they are named
python -m tests.lab shell HOST [COMMAND ...]  a shell, or one command, on a host of a running lab
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from tests.conftest import PROBES
from tests.lab.domain import Lab
from tests.lab.hosts import environment, nsenter
from tests.lab.keeper import HOST_MARK, LAB_MARK, marks

TO_TRY = (
    ("client", "kinit writer </etc/lab/user.password"),
    (
        "client",
        "echo hello >/tmp/hello; smbclient --use-kerberos=required //alpha.lab.example/docs -c 'put /tmp/hello hello; ls'",
    ),
    ("alpha", "id writer; ls -l /srv/docs; net ads testjoin"),
    (
        "client",
        "ldapsearch -LLL -Q -N -Y GSSAPI -H ldap://dc1.lab.example -b dc=lab,dc=example '(cn=alpha)' servicePrincipalName",
    ),
    ("client", "dig +short alpha.lab.example; dig +short -x 10.53.0.10"),
    (
        "beta",
        "dfo list --source-name alpha.branch.example --source-ip 10.53.0.10 --server 10.53.0.4 --key-file /etc/lab/tsig.key",
    ),
)


def greeting(took_s: float) -> str:
    """What stands on the terminal when the lab is up."""
    lines = [f"The lab is up after {took_s:.1f} s. Ctrl-C takes it down; nothing is left of it.", ""]
    lines += ["  dc1, dc2        Active Directory lab.example (dc2 only when named: make lab LAB_HOSTS=dc2)"]
    lines += [
        "  ns2             BIND, branch.example, TSIG key in /etc/lab/tsig.key",
        "  alpha, beta     members with smbd",
    ]
    lines += ["  client, witness plain hosts          users: writer, reader, operator, watcher, Administrator"]
    lines += ["", "From another terminal, in this directory (passwords are in /etc/lab on each host):", ""]
    lines += ["  make lab-shell HOST=client", ""]
    for host in dict.fromkeys(host for host, _ in TO_TRY):
        lines += [f"on {host}:", *(f"  {command}" for where, command in TO_TRY if where == host), ""]
    return "\n".join(lines)


def up(late: list[str]) -> None:
    """Make a lab and keep it until a signal comes."""
    if missing := PROBES["lab"]():
        sys.exit(f"no lab here: {missing}; as root on Debian: packaging/system-packages.sh test")
    began_s = time.monotonic()
    stop = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    lab = Lab.up()
    try:
        for name in late:
            lab.host(name)
        signal.pthread_sigmask(signal.SIG_BLOCK, stop)
        sys.stdout.write(greeting(time.monotonic() - began_s))
        sys.stdout.flush()
        signal.sigwait(stop)
    finally:
        lab.close()


def running() -> dict[str, dict[str, int]]:
    """The labs of this machine: of each, by the process that made it, the hosts that have power and their inits."""
    labs: dict[str, dict[str, int]] = {}
    for process in Path("/proc").iterdir():
        found = marks(int(process.name)) if process.name.isdigit() else {}
        if found.get(HOST_MARK, "keeper") != "keeper":
            labs.setdefault(found[LAB_MARK], {})[found[HOST_MARK]] = int(process.name)
    return labs


def shell(host: str, command: list[str]) -> None:
    """Become a shell on a host. With several labs running, LAB says which: the number of the process that made it."""
    labs = running()
    wanted = os.environ.get("LAB") or (next(iter(labs)) if len(labs) == 1 else "")
    if wanted not in labs:
        sys.exit(f"labs running: {', '.join(labs) or 'none'}; start one with: make lab; choose one with: LAB=NUMBER")
    if host not in labs[wanted]:
        sys.exit(f"{host} has no power in this lab; with power: {', '.join(sorted(labs[wanted]))}")
    words = ["bash", "-c", " ".join(command)] if command else ["bash", "--norc"]
    given = environment(
        {"TERM": os.environ.get("TERM", "dumb"), "PS1": f"root@{host}:\\w# ", "KRB5CCNAME": "FILE:/run/krb5cc"}
    )
    os.execvp("nsenter", [*nsenter(labs[wanted][host]), *given, *words])


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["up", *late]:
            up(late)
        case ["shell", host, *command]:
            shell(host, command)
        case _:
            sys.exit(__doc__)
