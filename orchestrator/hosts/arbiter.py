"""The witness: whether both engines may use it, and, where no engine answers, whether it shows the pinned key to us.

It takes no word from dtam, only from engines that were enrolled there, so their view is the one that counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from orchestrator.engine.client import EngineClient
from orchestrator.errors import DtamError
from orchestrator.hosts.errors import HostSilent
from orchestrator.hosts.reach import shown_fingerprint


class PinnedWitness:
    """The ``WitnessView`` port."""

    def __init__(
        self,
        address: str,
        port: int,
        fingerprint: str,
        engines: Mapping[str, EngineClient] | None = None,
        shown: Callable[[str, str, int], str] = shown_fingerprint,
    ) -> None:
        self._address, self._port = address, port
        self._fingerprint = fingerprint.replace(":", "").lower()
        self._engines = engines or {}
        self._shown = shown

    def problem(self) -> str:
        """Why it cannot be used; empty when it can."""
        seen = [(name, self._seen_by(engine)) for name, engine in self._engines.items()]
        answers = [(name, problem) for name, problem in seen if problem is not None]
        if not answers:
            return self._seen_from_here()
        return next((f"{name}: {problem}" for name, problem in answers if problem), "")

    def _seen_by(self, engine: EngineClient) -> str | None:
        try:
            return engine.witness_problem(self._address, self._port, self._fingerprint)
        except DtamError:
            return None

    def _seen_from_here(self) -> str:
        where = f"{self._address}:{self._port}"
        try:
            found = self._shown("witness", self._address, self._port)
        except HostSilent as silence:
            return f"the witness at {where} does not answer: {silence.facts['why']}"
        if found != self._fingerprint:
            return f"the witness at {where} shows the certificate {found[:16]}…, pinned is {self._fingerprint[:16]}…"
        return ""
