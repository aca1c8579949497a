"""The protections of this engine at work: one guard each, started with the daemon and anew when its document changes.

Lock: one for the table; a guard's own work happens outside of it.
"""

from __future__ import annotations

import asyncio
import threading

from orchestrator.engine.control import following, guard, schema
from orchestrator.engine.control.answers import ProtectionState
from orchestrator.engine.control.errors import Conflict
from orchestrator.engine.control.guard import Rooms
from orchestrator.engine.control.source_guard import SourceGuard
from orchestrator.engine.control.target_guard import TargetGuard, refused
from orchestrator.engine.transfer.messages import Answer, PromiseAnswer, PromiseAsk, Question, SharesAnswer, SharesAsk
from orchestrator.engine.transfer.tls import Peer
from orchestrator.errors import DtamError


class Protections:
    """The guards by protection. Callable from any thread."""

    def __init__(self, rooms: Rooms, loop: asyncio.AbstractEventLoop) -> None:
        self._rooms = rooms
        self._loop = loop
        self._lock = threading.RLock()
        self._guards: dict[str, SourceGuard | TargetGuard] = {}

    def start(self) -> None:
        """Take up all protections that are known."""
        for document in self._rooms.documents.listed():
            self._rooms.services.configure(document.id, document.services)
            self._begin(document.id)

    def put(self, document: schema.Protection, by: str) -> ProtectionState:
        """Take a document. Without a witness, whoever gives it confirms the epoch for this boot."""
        self._refuse_taken_names(document)
        known = {held.id for held in self._rooms.documents.listed()}
        with self._lock:
            old = self._guards.pop(document.id, None)
            try:
                self._rooms.documents.put(document)
            except BaseException:
                if old is not None:
                    self._guards[document.id] = old
                raise
            if old is not None:
                old.retire()
            if document.role == "source" and document.witness is None:
                self._confirm(document, by)
            self._rooms.services.configure(document.id, document.services)
            self._begin(document.id)
        verb = "changed" if document.id in known else "taken up"
        self._rooms.events.tell(
            "protection", f"{document.id} was {verb} as {document.role}", epoch=document.epoch, by=by
        )
        return self.state(document.id)

    def delete(self, protection: str) -> None:
        """Have no part in it any more; its services are forgotten, not stopped."""
        with self._lock:
            self._rooms.documents.get(protection)
            self._guards.pop(protection).end()
            self._rooms.services.configure(protection, [])
            self._rooms.documents.remove(protection)
        self._rooms.events.tell("protection", f"{protection} was given up")

    def state(self, protection: str) -> ProtectionState:
        """Where it stands."""
        return self._guard(protection).state()

    def act(self, protection: str, action: schema.ProtectionAction) -> ProtectionState:
        """Do what is asked."""
        self._guard(protection).act(action)
        return self.state(protection)

    def fence_reason(self, protection: str) -> str | None:
        """Why its services may not run here; None when they may."""
        held = self._guards.get(protection)
        return held.fence_reason() if held else "the protection is just being taken up"

    def answer(self, peer: Peer, question: Question) -> Answer:
        """Answer the other end of a protection; what went wrong is a refusal."""
        return self._promise(peer, question) if isinstance(question, PromiseAsk) else self._shares(peer, question)

    def _shares(self, peer: Peer, question: SharesAsk) -> SharesAnswer:
        held = self._guards.get(question.protection)
        if not isinstance(held, SourceGuard):
            return SharesAnswer(given=False, says=f"this engine is not the source of {question.protection}")
        return following.told(held.record.document, peer)

    def _promise(self, peer: Peer, question: PromiseAsk) -> PromiseAnswer:
        held = self._guards.get(question.protection)
        if not isinstance(held, TargetGuard):
            return refused(question.epoch, f"this engine is not the target of {question.protection}")
        try:
            return held.promise(peer, question)
        except (DtamError, OSError) as error:
            return refused(question.epoch, str(error))

    def let_go(self) -> None:
        """The daemon ends."""
        with self._lock:
            for held in self._guards.values():
                held.let_go()

    def _guard(self, protection: str) -> SourceGuard | TargetGuard:
        self._rooms.documents.get(protection)
        return self._guards[protection]

    def _begin(self, protection: str) -> None:
        role = self._rooms.documents.get(protection).role
        made = (
            SourceGuard(protection, self._rooms)
            if role == "source"
            else TargetGuard(protection, self._rooms, self._loop)
        )
        self._guards[protection] = made
        made.start()

    def _confirm(self, document: schema.Protection, by: str) -> None:
        override = guard.overridden_by(by, "the protection was given", document.epoch, self._rooms.boot_id)
        self._rooms.documents.change(document.id, lambda record: record.model_copy(update={"override": override}))

    def _refuse_taken_names(self, document: schema.Protection) -> None:
        for service in document.services:
            owner = self._rooms.services.owner(service.name)
            if owner not in (None, document.id):
                raise Conflict(
                    what=f"service {service.name} in {document.id}",
                    why=f"protection {owner} has a service of that name on this engine",
                    hint="give services names of their own",
                )
