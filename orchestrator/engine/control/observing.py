"""The signs of life of a source that its target asks for: probes, the data connection, and whether the witness still hears it.

While the witness says that the source's lease runs, a silent source is a suspected link. The round that comes before the lease's end waits
for that end and asks again, so that no interval is lost between the end of the lease and the verdict.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from orchestrator.engine.control.confirming import witness_client
from orchestrator.engine.control.guard import Rooms
from orchestrator.engine.control.schema import Protection, Witness
from orchestrator.engine.monitor.probes import Rounds, asking
from orchestrator.engine.monitor.verdict import Answer, MonitorSettings, Observations, Verdict
from orchestrator.errors import DtamError

JUST_OVER_S = 0.02
"""Asked a moment after the end, so that both clocks agree that it is past."""


class Signs:
    """What can be told of the source of one protection."""

    def __init__(self, protection: str, rooms: Rooms) -> None:
        self._id = protection
        self._rooms = rooms
        self._rounds = Rounds()

    async def observe(self, settings: MonitorSettings, before: Verdict | None) -> Observations:
        """One round; ``before`` is the verdict of the last one."""
        document = self._rooms.documents.record(self._id).document
        source = document.source
        answers = await self._rounds.ask(settings, asking(source.probe_port, bytes.fromhex(source.engine_id)))
        if all_answer(answers, settings, before):
            return Observations(answers, None, self._heard_s())
        left_s = await asyncio.to_thread(self._lease_left_s, document)
        wait_s = wait_for_the_end(left_s, settings, before)
        if wait_s:
            await asyncio.sleep(wait_s)
            left_s = await asyncio.to_thread(self._lease_left_s, document)
        return Observations(answers, None if left_s is None else left_s > 0, self._heard_s())

    def _heard_s(self) -> float | None:
        return self._rooms.replicas.summary(self._id).last_heard_s

    def _lease_left_s(self, document: Protection) -> float | None:
        """How long the source's newest renewal at the witness counts; 0 when no more, None when that is not known."""
        if document.witness is None:
            return None
        try:
            view = witness_client(document.witness, self._rooms.identity).look(self._id)
        except DtamError:
            return None
        if view is None or view.renewed_ago_s is None:
            return None
        if view.holder != document.source.engine_id:
            return 0.0
        return renewal_counts_s(document.witness, view.renewed_ago_s)


def all_answer(answers: Sequence[Answer], settings: MonitorSettings, before: Verdict | None) -> bool:
    """Whether no address misses replies, by its newest word; one that was not asked in this round keeps that of the last."""
    asked = {answer.address for answer in answers}
    known = before.addresses if before is not None else ()
    quiet = any(one.missed(settings.method) for one in known if one.address not in asked)
    return not quiet and all(answer.answered for answer in answers)


def renewal_counts_s(witness: Witness, renewed_ago_s: float) -> float:
    """For how long a renewal of so long ago still counts, in seconds."""
    return max(0.0, witness.lease_s - renewed_ago_s)


def wait_for_the_end(left_s: float | None, settings: MonitorSettings, before: Verdict | None) -> float:
    """How long to wait for the lease's end, in seconds: 0 unless this round may be the failing one, and the next would be too late."""
    if not left_s or left_s > settings.round_s or before is None:
        return 0.0
    may_fail = before.time_to_fail_s <= settings.round_s
    return left_s + JUST_OVER_S if may_fail else 0.0
