"""``dtam step`` on a host of the lab: its documents, a way to run it, and one to run it until it is killed at a named moment."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from orchestrator.cli.dtam import main
from orchestrator.directory.opening import open_directory
from orchestrator.directory.port import Directory, DirectoryAccess, Replace
from orchestrator.identity import step as steps
from orchestrator.identity import taken
from tests.lab.domain import Lab
from tests.lab.hosts import LabHost

UNDO = "/var/lib/dtam/identity"
SOURCE, TARGET = "ALPHA$", "BETA$"
NAMES = {"netbios": ["ALPHA"], "dns": ["alpha.lab.example"]}
BETWEEN_LOOKS_S = 0.005  # so that the observed have a processor, too
MOMENTS = ("after save 1", "after change 1", "after change 2")


def access(lab: Lab) -> dict[str, Any]:
    """Administrator's way into the domain at its first controller, as every host has it."""
    words = {"principal": "Administrator", "password_file": str(lab.admin_password_file)}
    return {"domain": lab.domain, "controllers": [f"dc1.{lab.domain}"], **words}


def spn_document(lab: Lab, **more: Any) -> dict[str, Any]:
    """Alpha's names to beta's account."""
    names = ["alpha", f"alpha.{lab.domain}"]
    return {"source": SOURCE, "target": TARGET, "names": names, "directory": access(lab), "await_s": 3, **more}


@dataclass
class Said:
    """How a step ended."""

    code: int
    document: dict[str, Any]

    @property
    def error(self) -> str:
        """The message of the failure."""
        return str(self.document.get("error", {}).get("message", ""))

    @property
    def states(self) -> dict[str, str]:
        """What became of each thing."""
        return {line["what"]: line["state"] for line in self.document["lines"]}


def step(host: LabHost, what: str, deed: str, document: Mapping[str, Any], *more: str) -> Said:
    """Run a step on a host, as its script does."""
    words = ["dtam", "step", what, deed, "--undo", f"{UNDO}/test.{what}.json", "--json", *more]
    ran = host.run(words, input=json.dumps(document), check=False)
    return Said(ran.returncode, json.loads(ran.stdout))


def step_killed(host: LabHost, moment: str, deed: str, document: Mapping[str, Any]) -> bool:
    """Run ``dtam step spns`` on a host until ``kill -9`` at a moment; False when that moment never came."""
    try:
        code = host.call(_run_until, moment, deed, json.dumps(document))
    except AssertionError:
        if not moment:
            raise
        return True
    assert code == 0
    return False


def _run_until(moment: str, deed: str, text: str) -> int | str | None:
    """In a process of its own: the program's own way from its command line on, with a counter that kills."""
    counter = Killer(moment)
    steps._open = lambda one: Counted(open_directory(one), counter)
    save = taken.save
    taken.save = lambda path, kept: counter.around("save", lambda: save(path, kept))
    hands = steps.Hands
    steps.Hands = lambda: hands(directory=steps._open)
    sys.stdin = io.TextIOWrapper(io.BytesIO(text.encode()))
    sys.stdout = sys.stderr = io.StringIO()
    try:
        main(["step", "spns", deed, "--undo", f"{UNDO}/test.spns.json"])
    except SystemExit as ended:
        return ended.code
    return None


@dataclass
class Killer:
    """Ends this process at a moment such as ``after change 2``."""

    moment: str
    counts: dict[str, int] = field(default_factory=dict)

    def around(self, what: str, deed: Any) -> Any:
        """Do a deed unless the moment before it has come; end after it when that moment has come."""
        self.counts[what] = self.counts.get(what, 0) + 1
        self._end_at(f"before {what} {self.counts[what]}")
        done = deed()
        self._end_at(f"after {what} {self.counts[what]}")
        return done

    def _end_at(self, now: str) -> None:
        if now == self.moment:
            os.kill(os.getpid(), signal.SIGKILL)


class Counted:
    """A session with a controller whose changes are counted."""

    def __init__(self, inner: Directory, killer: Killer) -> None:
        self._inner, self._killer = inner, killer

    def change(self, *words: Any) -> None:
        """Counted."""
        self._killer.around("change", lambda: self._inner.change(*words))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._inner.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def read_accounts(directory: Directory, names: tuple[str, ...] = (SOURCE, TARGET)) -> dict[str, list[str]]:
    """The principal names of accounts, all in one answer."""
    each = "".join(f"(sAMAccountName={one})" for one in names)
    found = directory.find(directory.facts().base_dn, f"(|{each})", ["sAMAccountName", "servicePrincipalName"])
    return {str(one.first("sAMAccountName")): sorted(one.text("servicePrincipalName")) for one in found}


def put_accounts(document: dict[str, Any], wanted: dict[str, list[str]]) -> None:
    """On a host: let accounts hold exactly these names."""
    with open_directory(DirectoryAccess.from_document(document)) as directory:
        for name, spns in wanted.items():
            directory.change(directory.computer(name).dn, [Replace("servicePrincipalName", tuple(spns))])


def observe(document: dict[str, Any], stop: str, out: str) -> None:
    """On a host: ask a controller again and again who holds what, until the file ``stop`` is there; what was seen goes to ``out``."""
    seen: dict[str, int] = {}
    with open_directory(DirectoryAccess.from_document(document)) as directory:
        Path(out).touch()
        while True:
            state = json.dumps(read_accounts(directory), sort_keys=True)
            seen[state] = seen.get(state, 0) + 1
            if Path(stop).exists():
                break
            time.sleep(BETWEEN_LOOKS_S)
    Path(out).write_text(json.dumps([[json.loads(state), count] for state, count in seen.items()]))


if __name__ == "__main__":
    observe(json.loads(sys.argv[1]), sys.argv[2], sys.argv[3])
