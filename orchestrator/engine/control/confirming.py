"""Is this engine's epoch still current? The witness says so by a lease; without a witness a person or the target does.

``WitnessArbiter`` and ``TargetArbiter`` are what the lease keeper asks, each in a thread of its own. A protection that the witness does not know yet is registered once; afterwards
an unknown protection is a refusal, because a witness that forgot everything must not confirm anybody. The target promises not to
ask for the next epoch, over the data port.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from orchestrator.engine.control.documents import Documents, ProtectionRecord
from orchestrator.engine.control.errors import EngineUnreachable
from orchestrator.engine.control.identity import Identity
from orchestrator.engine.control.schema import Witness
from orchestrator.engine.transfer import promising, tls
from orchestrator.engine.transfer.messages import PromiseAsk, PromiseVerb
from orchestrator.engine.transfer.ports import Route
from orchestrator.engine.witness.client import WitnessClient
from orchestrator.engine.witness.rules import LeaseAnswer

BUDGET_MAX_S = 3.0


def budget_s(lease_s: float) -> float:
    """How long one question for a lease may take: a third of it."""
    return min(BUDGET_MAX_S, max(0.3, lease_s / 3))


def witness_client(witness: Witness, identity: Identity) -> WitnessClient:
    """The client of a protection's witness; a request may take a third of the lease at most."""
    return WitnessClient(
        witness.address,
        witness.port,
        witness.fingerprint,
        certificate_file=identity.certificate_file,
        key_file=identity.key_file,
        budget_s=budget_s(witness.lease_s),
    )


def boottime_ns() -> int:
    """CLOCK_BOOTTIME."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class WitnessArbiter:
    """Renews at the witness; registers the protection there at its first confirmation."""

    def __init__(self, client: WitnessClient, documents: Documents) -> None:
        self._client = client
        self._documents = documents

    def renew(self, protection: str, epoch: int, holder: str, lease_s: float) -> LeaseAnswer:
        """Ask for the lease. Raises WitnessUnreachable."""
        record = self._documents.record(protection)
        if record.registered:
            return self._client.renew(protection, epoch, holder, lease_s)
        answer = self._client.register(protection, epoch, holder, lease_s, record.document.target.engine_id)
        if answer.granted:
            self._documents.change(protection, registered(record.document.target.engine_id))
        return answer


class TargetArbiter:
    """Asks the target to promise that it will not take over for the length of a lease.

    Args:
        route: where the target's data port is now, and its pinned key; asked each time.
        identity: this engine's key.
        counts: whether the witness knows that this target's promises count; before it does, none is asked for.
    """

    def __init__(self, route: Callable[[], Route], identity: Identity, counts: Callable[[], bool]) -> None:
        self._route = route
        self._counts = counts
        self._identity = tls.Identity(identity.certificate_file, identity.key_file)

    def renew(self, protection: str, epoch: int, holder: str, lease_s: float) -> LeaseAnswer:
        """Ask for the promise. Raises EngineUnreachable, PeerUnknown, BadFrame."""
        if not self._counts():
            why = "the witness was not told yet that this is the target"
            raise EngineUnreachable(where=f"the target of {protection}", why=why)
        return self._ask(PromiseAsk(PromiseVerb.RENEW, protection, epoch, holder, lease_s))

    def take_up(self, protection: str, epoch: int, holder: str, lease_s: float) -> LeaseAnswer:
        """Ask for it although the epoch was given back before. Raises as ``renew`` does."""
        return self._ask(PromiseAsk(PromiseVerb.TAKE_UP, protection, epoch, holder, lease_s))

    def release(self, protection: str, epoch: int, holder: str, lease_s: float) -> None:
        """This engine is fenced: the target need not keep its promise. Raises as ``renew`` does."""
        self._ask(PromiseAsk(PromiseVerb.RELEASE, protection, epoch, holder, lease_s))

    def _ask(self, question: PromiseAsk) -> LeaseAnswer:
        route = self._route()
        try:
            answer = promising.ask(route, self._identity, question, budget_s(question.lease_s))
        except OSError as error:
            why = "no answer within the budget" if isinstance(error, TimeoutError) else str(error)
            raise EngineUnreachable(where=f"{route.address}:{route.port}", why=why) from error
        given_s = min(answer.expires_in_s, question.lease_s)
        return LeaseAnswer(answer.granted, answer.epoch, question.holder, given_s, answer.says)


def registered(target: str) -> Callable[[ProtectionRecord], ProtectionRecord]:
    """The record of a protection that the witness knows with this target, unless it has got another meanwhile."""

    def known(record: ProtectionRecord) -> ProtectionRecord:
        return record.model_copy(update={"registered": record.document.target.engine_id == target})

    return known


class SystemClock:
    """The clocks of this host."""

    def __init__(self, boottime: Callable[[], int] = boottime_ns) -> None:
        self._boottime = boottime

    def boottime_ns(self) -> int:
        """CLOCK_BOOTTIME: for every decision about durations."""
        return self._boottime()

    def realtime_ns(self) -> int:
        """CLOCK_REALTIME: for people."""
        return time.time_ns()
