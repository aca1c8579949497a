"""The executor at the witness: one key of its own, one holder's name for both sides of a pair, because it alone decides between them.

The executor owns the epoch at the witness throughout (held, not timed): what keeps a Windows source in time is the executor's own lease. What the
witness adds is that an epoch is granted once, also where somebody started a second executor.
"""

from __future__ import annotations

from pathlib import Path

from orchestrator.engine.witness.client import WitnessClient
from orchestrator.engine.witness.errors import WitnessRefusesClient
from orchestrator.engine.witness.identity import Identity, load_or_make
from orchestrator.engine.witness.rules import GrantAnswer
from orchestrator.errors import DtamError
from orchestrator.model.settings_monitoring import WitnessSettings

FIRST_LEASE_S = 0.5


def identity(home: Path) -> Identity:
    """The executor's key, made when it is first needed; its certificate is what is enrolled at the witness."""
    place = home / "witness"
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    return load_or_make(place)


class WitnessArbiter:
    """The ``Arbiter`` over a witness, and its ``WitnessView``. ``holder`` is this executor's name there."""

    def __init__(self, client: WitnessClient, holder: str, certificate: Path) -> None:
        self._client = client
        self._holder = holder
        self._certificate = certificate

    @classmethod
    def of(cls, home: Path, settings: WitnessSettings) -> WitnessArbiter:
        """The witness of a protection, asked with the key below ``home``."""
        own = identity(home)
        client = WitnessClient(
            settings.address,
            settings.port,
            settings.fingerprint,
            certificate_file=own.certificate_file,
            key_file=own.key_file,
        )
        return cls(client, f"dtam-{own.fingerprint[:16]}", own.certificate_file)

    def problem(self) -> str:
        """Why this executor would get no epoch; empty when the witness answers it."""
        try:
            self._client.look_at_all()
        except WitnessRefusesClient:
            where = f"{self._client.address}:{self._client.port}"
            return f"the witness at {where} does not know this machine yet: carry {self._certificate} there, dtwitness enrol {self._certificate.name}"
        except DtamError as error:
            return str(error)
        return ""

    def grant(self, protection: str, epoch: int, *, forced: bool, by: str) -> GrantAnswer:
        """The epoch for this executor. A protection that the witness does not know yet begins with this epoch."""
        before = epoch - 1
        known = self._client.look(protection)
        if known is None:
            answer = self._client.register(protection, epoch, self._holder, FIRST_LEASE_S, target=self._holder)
            return GrantAnswer(answer.granted, answer.epoch, answer.reason)
        if (known.epoch, known.holder) == (epoch, self._holder):
            return GrantAnswer(True, epoch, "granted before")
        if (known.epoch, known.holder) == (before, self._holder):
            self._client.release(protection, before, self._holder)
        return self._client.grant(protection, before, self._holder, forced=forced, by=by)
