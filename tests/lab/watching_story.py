"""Watches a story throughout, apart from it: nothing may ever have two owners - a service name, an address, the serving of a share.

Service names are read on the controller itself, many times a second; addresses and Samba's daemons on both servers, as far as their
wires are whole, because nobody hears a server whose wire is cut.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
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
wanted = "(|" + "".join(f"(servicePrincipalName={name})" for name in sys.argv[3:]) + ")"
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
    """Every moment with two owners, in words; who owned the service names in turn; how long nobody did, each time, in seconds.

    ``looks``: how often was looked, at the least.
    """

    twice: list[str]
    owners: list[list[str]]
    without_s: list[float]
    looks: int


Look = Callable[[], Mapping[str, Sequence[str]]]
"""Who owns what at a moment: the owners of each thing that may have one only."""


class Watcher:
    """From ``start`` to ``stop``, which tells what was seen of service names, on the controller, and of what ``look`` finds."""

    def __init__(self, lab: Lab, look: Look) -> None:
        self._dc1 = lab.host("dc1")
        self._look = look
        self._over = threading.Event()
        self._found: set[str] = set()
        self._thread = threading.Thread(target=self._go_on_looking, daemon=True)
        self.looks = 0

    def start(self, *names: str) -> None:
        """Begin with these service names, and return when both have looked once."""
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
        twice = sorted(self._found) + [f"service names: {one}" for one in seen["twice"]]
        changes = zip(seen["owners"], seen["times"], seen["times"][1:], strict=False)
        without_s = [round(after - at, 2) for held, at, after in changes if not held]
        return Seen(twice, seen["owners"], without_s, min(self.looks, seen["looks"]))

    def _go_on_looking(self) -> None:
        while not self._over.wait(0.1):
            for what, held in self._look().items():
                if len(held) > 1:
                    self._found.add(f"{what}: {' and '.join(held)}")
            self.looks += 1


@contextlib.contextmanager
def watched(lab: Lab, look: Look, *names: str, kinds: Sequence[str] = ("HOST", "cifs")) -> Iterator[list[Seen]]:
    """Watch the service names of ``names``, and what ``look`` finds; what was seen is in the list at the end."""
    watcher, seen = Watcher(lab, look), list[Seen]()
    watcher.start(*(f"{kind}/{name}" for name in names for kind in kinds))
    try:
        yield seen
    finally:
        seen.append(watcher.stop())


def owners(hosts: Sequence[LabHost], has: Callable[[LabHost], Mapping[str, bool]]) -> dict[str, list[str]]:
    """Of each thing the hosts that say they have it; one that has no power, or cannot be asked, has nothing."""
    found: dict[str, list[str]] = {}
    for host in hosts:
        with contextlib.suppress(AssertionError, CommandFailed, OSError):
            for what, held in (has(host) if host.pid else {}).items():
                found.setdefault(what, []).extend([host.name] * held)
    return found


@contextlib.contextmanager
def watching(lab: Lab, cut: Callable[[LabHost], bool], address: str, *names: str) -> Iterator[list[Seen]]:
    """Watch alpha's names (and further ones), its ``address`` and its daemon, for anybody who could hear it."""
    hosts = [lab.host("alpha"), lab.host("beta")]

    def has(host: LabHost) -> dict[str, bool]:
        if cut(host):
            return {}
        said = host.run(["sh", "-c", "ip -4 -o address; ss -Hltn"], timeout_s=20).stdout
        return {"address": f" {address}/" in said, "share": ":445 " in said}

    every = dict.fromkeys(("ALPHA", hosts[0].fqdn, *names))
    with watched(lab, lambda: owners(hosts, has), *every) as seen:
        yield seen
