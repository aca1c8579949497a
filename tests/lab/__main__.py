"""The lab for people.

python -m tests.lab up [HOST ...]             up in the foreground until Ctrl-C, with dc2 or gamma when they are named, and windows or sql
python -m tests.lab shell HOST [COMMAND ...]  a shell, or one command, on a host of a running lab
python -m tests.lab power HOST on|off         give a host of a running lab its power, or take it away
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Collection
from pathlib import Path

from tests.conftest import PROBES
from tests.lab import playing
from tests.lab.domain import Lab
from tests.lab.hosts import PROJECT, environment, nsenter
from tests.lab.keeper import HOST_MARK, LAB_MARK, marks
from tests.lab.pairstage import HOME
from tests.lab.places import PLACES

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


def greeting(took_s: float, late: Collection[str] = ()) -> str:
    """What stands on the terminal when the lab is up."""
    lines = [f"The lab is up after {took_s:.1f} s. Ctrl-C takes it down; nothing is left of it.", ""]
    lines += ["  dc1, dc2        Active Directory lab.example (dc2 only when named: make lab LAB_HOSTS=dc2)"]
    lines += [
        "  ns2             BIND, branch.example, TSIG key in /etc/lab/tsig.key",
        "  alpha, beta     members with smbd",
        "  winalpha, winbeta  simulated Windows servers (only with: make lab LAB_HOSTS=windows)",
        "  SQL Server, simulated, on alpha and beta (only with: make lab LAB_HOSTS=sql)",
    ]
    lines += ["  client, witness plain hosts          users: writer, reader, operator, watcher, Administrator"]
    lines += ["", "From another terminal, in this directory (passwords are in /etc/lab on each host):", ""]
    lines += ["  make lab-shell HOST=client", ""]
    for asked, to_try in ((playing.WINDOWS, playing.TO_TRY), (playing.SQL, playing.SQL_TO_TRY)):
        if asked in late:
            return "\n".join(lines) + to_try
    for host in dict.fromkeys(host for host, _ in TO_TRY):
        lines += [f"on {host}:", *(f"  {command}" for where, command in TO_TRY if where == host), ""]
    return "\n".join(lines)


def up(late: list[str]) -> None:
    """Make a lab and keep it until a signal comes; until then switch the power of its hosts as it is asked to."""
    if missing := PROBES["lab"]():
        sys.exit(f"no lab here: {missing}; as root on Debian: packaging/system-packages.sh test")
    if strange := sorted(set(late) - {playing.WINDOWS, playing.SQL, *PLACES}):
        sys.exit(f"the lab has no host {', '.join(strange)}; it has windows, sql, {', '.join(PLACES)}")
    began_s = time.monotonic()
    lab = Lab.up()
    try:
        if playing.WINDOWS in late:
            playing.prepare(lab)
        if playing.SQL in late:
            playing.prepare_sql(lab)
        for name in (one for one in late if one in PLACES):
            lab.host(name)
        for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(one, _end)
        sys.stdout.write(greeting(time.monotonic() - began_s, late))
        sys.stdout.flush()
        _switch(lab)
    except _Ended:
        pass
    finally:
        lab.close()


class _Ended(BaseException):
    """A signal came."""


def _end(*_: object) -> None:
    raise _Ended


def _door(lab: str) -> str:
    """Where a running lab is asked: a socket of the abstract name space, of the number of the process that made it."""
    return f"\0dtam-lab-{lab}"


def _switch(lab: Lab) -> None:
    """For ever: one line ``HOST on`` or ``HOST off`` a connection, of the same user; the answer is ``done`` or why not."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        door.bind(_door(str(os.getpid())))
        door.listen()
        while True:
            connection, _ = door.accept()
            with connection, contextlib.suppress(OSError):
                uid = int.from_bytes(
                    connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[4:8], sys.byteorder
                )
                name, _, state = connection.recv(200).decode(errors="replace").partition(" ")
                connection.sendall(_switched(lab, name, state).encode() if uid == os.getuid() else b"not for you")


def _switched(lab: Lab, name: str, state: str) -> str:
    if name not in PLACES or state not in {"on", "off"}:
        return f"there is no {name!r} to be switched {state!r}"
    host = lab.host(name)
    host.boot() if state == "on" else host.power_cut()
    return "done"


def power(name: str, state: str) -> None:
    """Ask a running lab to switch the power of a host."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(_door(_chosen(running())))
        connection.sendall(f"{name} {state}".encode())
        answer = connection.recv(1000).decode()
    if answer != "done":
        sys.exit(answer or "the lab did not answer")


def running() -> dict[str, dict[str, int]]:
    """The labs of this machine: of each, by the process that made it, the hosts that have power and their inits."""
    labs: dict[str, dict[str, int]] = {}
    for process in Path("/proc").iterdir():
        found = marks(int(process.name)) if process.name.isdigit() else {}
        if found.get(HOST_MARK, "keeper") != "keeper":
            labs.setdefault(found[LAB_MARK], {})[found[HOST_MARK]] = int(process.name)
    return labs


def _chosen(labs: dict[str, dict[str, int]]) -> str:
    """The lab that is meant. With several running, LAB says which: the number of the process that made it."""
    wanted = os.environ.get("LAB") or (next(iter(labs)) if len(labs) == 1 else "")
    if wanted not in labs:
        sys.exit(f"labs running: {', '.join(labs) or 'none'}; start one with: make lab; choose one with: LAB=NUMBER")
    return wanted


def shell(host: str, command: list[str]) -> None:
    """Become a shell on a host."""
    labs = running()
    wanted = _chosen(labs)
    if host not in labs[wanted]:
        sys.exit(f"{host} has no power in this lab; with power: {', '.join(sorted(labs[wanted]))}")
    words = ["bash", "-c", " ".join(command)] if command else ["bash", "--norc"]
    given = environment(
        {
            "TERM": os.environ.get("TERM", "dumb"),
            "PS1": f"root@{host}:\\w# ",
            "KRB5CCNAME": "FILE:/run/krb5cc",
            "DTAM_HOME": HOME,
            "LAB_PROJECT": str(PROJECT),
        }
    )
    os.execvp("nsenter", [*nsenter(labs[wanted][host]), *given, *words])


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["up", *late]:
            up(late)
        case ["shell", host, *command]:
            shell(host, command)
        case ["power", host, ("on" | "off") as state]:
            power(host, state)
        case _:
            sys.exit(__doc__)
