"""Watches a story throughout, apart from it: nothing may ever have two owners - a service name, an address, the serving of a share.

Service names are read on the controller itself, many times a second; addresses and Samba's daemons on both servers, as far as their
wires are whole, because nobody hears a server whose wire is cut.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
from collections.abc import Callable

from tests.lab.controllers import PYTHON
from tests.lab.domain import Lab
from tests.lab.hosts import CommandFailed, LabHost
from tests.lab.waiting import until

STOP, SEEN = "/run/watch.stop", "/run/watch.seen"
PROGRAM = """
import json, os, sys, time
from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB
lp = LoadParm()
lp.load_default()
directory = SamDB(lp=lp, session_info=system_session())
names = sys.argv[3:]
wanted = "(|" + "".join(f"(servicePrincipalName={kind}/{name})" for name in names for kind in ("HOST", "cifs")) + ")"
looks, twice, owners = 0, set(), []
while not os.path.exists(sys.argv[1]):
    found = sorted(str(one["sAMAccountName"]) for one in directory.search(expression=wanted, attrs=["sAMAccountName"]))
    looks += 1
    if len(found) > 1:
        twice.add(" and ".join(found))
    if owners[-1:] != [found]:
        owners.append(found)
    with open(sys.argv[2] + ".new", "w") as out:
        json.dump({"looks": looks, "twice": sorted(twice), "owners": owners}, out)
    os.rename(sys.argv[2] + ".new", sys.argv[2])
    time.sleep(0.05)
"""


class Watcher:
    """From ``start`` to ``stop``; ``stop`` gives every moment with two owners, in words, and who owned the names in turn."""

    def __init__(self, lab: Lab, cut: Callable[[LabHost], bool], address: str) -> None:
        self._dc1 = lab.host("dc1")
        self._hosts = [lab.host("alpha"), lab.host("beta")]
        self._cut = cut
        self._address = address
        self._over = threading.Event()
        self._found: set[str] = set()
        self._thread = threading.Thread(target=self._watch_hosts, daemon=True)
        self.looks = 0

    def start(self, *names: str) -> None:
        """Begin, and return when both have looked once."""
        for path in (STOP, SEEN):
            self._dc1.path(path).unlink(missing_ok=True)
        self._dc1.write("/run/watch.py", PROGRAM)
        self._process = self._dc1.popen([PYTHON, "/run/watch.py", STOP, SEEN, *names], stdin=subprocess.DEVNULL)
        self._thread.start()
        until("the watchers look", lambda: self.looks and self._dc1.path(SEEN).exists())

    def stop(self) -> tuple[list[str], list[list[str]]]:
        """End, and tell."""
        self._over.set()
        self._thread.join(30)
        self._dc1.write(STOP, "")
        assert self._process.wait(30) == 0
        seen = json.loads(self._dc1.path(SEEN).read_text())
        assert seen["looks"] > 20
        return sorted(self._found) + [f"service names: {one}" for one in seen["twice"]], seen["owners"]

    def _watch_hosts(self) -> None:
        while not self._over.wait(0.1):
            states = [self._state(host) for host in self._hosts]
            self.looks += 1
            for place, what in enumerate(("address", "share")):
                owners = [host.name for host, state in zip(self._hosts, states, strict=True) if state[place]]
                if len(owners) > 1:
                    self._found.add(f"{what}: {' and '.join(owners)}")

    def _state(self, host: LabHost) -> tuple[bool, bool]:
        """Whether it has the address, and whether Samba's daemon serves there, for anybody who could hear it."""
        with contextlib.suppress(AssertionError, CommandFailed, OSError):
            if host.pid and not self._cut(host):
                said = host.run(["sh", "-c", "ip -4 -o address; ss -Hltn"], timeout_s=20).stdout
                return f" {self._address}/" in said, ":445 " in said
        return False, False
