"""The shares that wait on a target follow the source's: asked for at an interval and made anew when they changed.

The target asks over the data port, by the pairing; the source looks with Samba's own tools, each time anew. What changed is made ready by
``dtam step shares renew``, then known here as what a failover opens. A source that could not look at everything, or names no share any
more, changes nothing: what waits stays.

Lock: asking and making. It is not held by whoever ends the following: a late renewal finds that nothing waits, or another document.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from orchestrator.engine.control import commands, sharefacts
from orchestrator.engine.control.answers import ShareFacts
from orchestrator.engine.control.documents import ProtectionRecord
from orchestrator.engine.control.errors import Conflict, Unknown
from orchestrator.engine.control.guard import Rooms
from orchestrator.engine.control.schema import Protection
from orchestrator.engine.transfer import promising, tls
from orchestrator.engine.transfer.messages import SharesAnswer, SharesAsk
from orchestrator.engine.transfer.ports import Route
from orchestrator.errors import DtamError

FIRST_LOOK_S = 60.0
ASK_BUDGET_S = 60.0
MAKE_BUDGET_S = 25.0
"""Less than a takeover waits for whoever works with the shares."""
Shares = list[dict[str, Any]]


class Following:
    """The shares of one protection. ``waiting`` says whether this target waits, and neither serves nor takes over."""

    def __init__(self, protection: str, rooms: Rooms, waiting: Callable[[], bool]) -> None:
        self._id = protection
        self._rooms = rooms
        self._waiting = waiting
        self._lock = threading.Lock()
        self._ended = False
        self.problem = ""

    async def run(self, stop: asyncio.Event) -> None:
        """Look a minute after the start, then at the interval, until ``stop``."""
        shares = self._rooms.documents.get(self._id).failover.shares
        interval_s = shares.interval_s if shares is not None else None
        pause_s = min(FIRST_LOOK_S, interval_s or FIRST_LOOK_S)
        while interval_s is not None and not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause_s)
            if not stop.is_set():
                await asyncio.to_thread(self.look)
            pause_s = interval_s

    def look(self) -> None:
        """Follow; what hinders it is told once, in the events and the status."""
        if self._ended or not self._waiting():
            self.problem = ""
            return
        try:
            self.follow(always=False)
        except (DtamError, OSError, ValueError) as error:
            self._fail(str(error))

    def follow(self, *, always: bool = True) -> None:
        """Ask the source now, and make ready what changed; with ``always`` also what was changed here alone.

        Raises:
            Conflict: this target does not wait, the source does not tell, or a program of Samba's refused.
            OSError, DtamError: the source cannot be asked.
        """
        with self._lock:
            document = self._rooms.documents.get(self._id)
            if document.failover.shares is None or not self._waiting():
                raise _hindered("no shares wait on this target now", "see dtengine protections show")
            told: dict[str, Any] = document.takeover.get("shares") or {}
            before = self._newest() or told.get("shares") or []
            wanted = self._asked(document, before)
            differing = names_of(before, wanted)
            if (differing or always) and not self._ended:
                self._make({**told, "shares": wanted})
            if told.get("shares") != wanted and not self._ended:
                self._know(document.takeover, {**told, "shares": wanted})
            if differing:
                says = f"{self._id}: the shares of {document.source.name} changed, and wait here anew: {differing}"
                self._rooms.events.tell("shares", says)
            self.problem = ""

    def retire(self) -> None:
        """Another one takes over: begin nothing more."""
        self._ended = True

    def _asked(self, document: Protection, told: Shares) -> Shares:
        own = self._rooms.identity
        answer = promising.ask_for_shares(
            self._route(document), tls.Identity(own.certificate_file, own.key_file), SharesAsk(self._id), ASK_BUDGET_S
        )
        if not answer.given:
            raise _hindered(f"{document.source.name}: {answer.says}", "mend Samba's configuration there")
        wanted = placed(document, [ShareFacts.model_validate(one) for one in answer.shares])
        if told and not wanted:
            why = f"{document.source.name} names none of them any more; what waits stays"
            raise _hindered(why, "if that is meant: dtam enable")
        return wanted

    def _route(self, document: Protection) -> Route:
        """The source's data port as it was paired."""
        side = document.source
        peer = next((one for one in self._rooms.peers.listed() if one.engine_id == side.engine_id), None)
        if peer is None:
            raise Unknown(kind="peer", name=side.name, listing="peers list")
        return Route(peer.address, peer.data_port, tls.Peer(peer.name, peer.certificate_pem))

    def _newest(self) -> Shares:
        """What was made ready last, by whomever; nothing where that is not known."""
        try:
            found = json.loads(Path(self._place("newest")).read_text(encoding="utf-8"))
            return list(found["shares"])
        except (OSError, ValueError, KeyError, TypeError):
            return []

    def _place(self, kind: str) -> str:
        """A file beside what this protection has taken, as its scripts name it."""
        name = re.sub(r"[^A-Za-z0-9_-]", "_", self._id)
        return str(self._rooms.layout.root / "identity" / f"{name}.{kind}-shares.json")

    def _make(self, document: dict[str, Any]) -> None:
        words = ["dtam", "step", "shares", "renew", "--undo", self._place("kept"), "--newest", self._place("newest")]
        done = subprocess.run(
            words,
            input=json.dumps(document),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=MAKE_BUDGET_S,
            check=False,
            env={"PATH": f"{Path(sys.executable).parent}:{commands.PLAIN_PATH}", "LANG": "C.UTF-8"},
        )
        if done.returncode != 0:
            raise _hindered(" ".join((done.stderr or done.stdout).split())[:500], "see dtam validate")

    def _know(self, before: dict[str, Any], shares: dict[str, Any]) -> None:
        """A failover opens these, and validation compares with them; not where somebody gave another document meanwhile."""

        def known(record: ProtectionRecord) -> ProtectionRecord:
            if record.document.takeover != before:
                return record
            changed = record.document.model_copy(update={"takeover": {**before, "shares": shares}})
            return record.model_copy(update={"document": changed})

        self._rooms.documents.change(self._id, known)

    def _fail(self, why: str) -> None:
        problem = f"the waiting shares do not follow the source's: {why}"
        if problem != self.problem:
            self.problem = problem
            with contextlib.suppress(OSError):
                self._rooms.events.tell("shares", f"{self._id}: {problem}", level="error")


def told(document: Protection, peer: tls.Peer) -> SharesAnswer:
    """What a source answers its target, and nobody else."""
    if peer.fingerprint != document.target.fingerprint.lower():
        return SharesAnswer(given=False, says=f"{peer.name} has nothing to ask about {document.id}")
    conf = (document.takeover.get("shares") or {}).get("conf") or "/etc/samba/smb.conf"
    found = sharefacts.gather(Path(conf))
    if not found.installed or found.problems:
        return SharesAnswer(given=False, says="; ".join(found.problems) or "Samba is not installed here")
    return SharesAnswer(given=True, shares=[one.model_dump(mode="json") for one in found.shares])


def placed(document: Protection, shares: Sequence[ShareFacts]) -> Shares:
    """The followed ones as a step takes them, lying in the replica; those outside of it, or with unreadable permissions, are left out."""
    followed = document.failover.shares
    made = []
    for one in shares:
        path = _place(document, one.path)
        is_data = not one.administrative and one.path.startswith("/") and "%" not in one.path and not one.acl_problem
        if path is not None and is_data and followed is not None and followed.chosen(one.name):
            made.append(one.model_dump(include={"name", "comment", "options", "sddl"}) | {"path": path})
    return made


def _place(document: Protection, path: str) -> str | None:
    for root in document.roots:
        if path == root.source_path or path.startswith(root.source_path.rstrip("/") + "/"):
            return (root.target_path.rstrip("/") + path[len(root.source_path.rstrip("/")) :]) or "/"
    return None


def names_of(before: Shares, now: Shares) -> str:
    """Which shares are new, gone or changed, in words; empty when none are."""
    old, new = ({one["name"]: one for one in shares} for shares in (before, now))
    groups = {
        "new": new.keys() - old.keys(),
        "gone": old.keys() - new.keys(),
        "changed": {name for name in old.keys() & new.keys() if old[name] != new[name]},
    }
    return "; ".join(f"{', '.join(sorted(names))} {word}" for word, names in groups.items() if names)


def _hindered(why: str, hint: str) -> Conflict:
    return Conflict(what="following the source's shares", why=why, hint=hint)
