"""Watches a story throughout, apart from it: nothing may ever have two owners - a service name, an address, the serving of a share.

Service names are read on the controller itself, many times a second; addresses and Samba's daemons on both servers, as far as their
wires are whole, because nobody hears a server whose wire is cut.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

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
looks, twice, owners, times = 0, set(), [], []
while not os.path.exists(sys.argv[1]):
    found = sorted(str(one["sAMAccountName"]) for one in directory.search(expression=wanted, attrs=["sAMAccountName"]))
    looks += 1
    if len(found) > 1:
        twice.add(" and ".join(found))
    if owners[-1:] != [found]:
        owners.append(found)
        times.append(time.time())
    with open(sys.argv[2] + ".new", "w") as out:
        json.dump({"looks": looks, "twice": sorted(twice), "owners": owners, "times": times}, out)
    os.rename(sys.argv[2] + ".new", sys.argv[2])
    time.sleep(0.05)
"""


@dataclass(frozen=True)
class Seen:
    """Every moment with two owners, in words; who owned the service names in turn; how long nobody did, each time, in seconds."""

    twice: list[str]
    owners: list[list[str]]
    without_s: list[float]


class Watcher:
    """From ``start`` to ``stop``, which tells what was seen."""

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

    def stop(self) -> Seen:
        """End, and tell."""
        self._over.set()
        self._thread.join(30)
        self._dc1.write(STOP, "")
        assert self._process.wait(30) == 0
        seen = json.loads(self._dc1.path(SEEN).read_text())
        assert seen["looks"] > 20
        twice = sorted(self._found) + [f"service names: {one}" for one in seen["twice"]]
        changes = zip(seen["owners"], seen["times"], seen["times"][1:], strict=False)
        return Seen(twice, seen["owners"], [round(after - at, 2) for owners, at, after in changes if not owners])

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


@contextlib.contextmanager
def watching(lab: Lab, cut: Callable[[LabHost], bool], address: str, *names: str) -> Iterator[list[Seen]]:
    """Watch alpha's names (and further ones), its ``address`` and its daemon; what was seen is in the list at the end."""
    watcher, seen = Watcher(lab, cut, address), list[Seen]()
    watcher.start(*dict.fromkeys(("ALPHA", lab.host("alpha").fqdn, *names)))
    try:
        yield seen
    finally:
        seen.append(watcher.stop())
