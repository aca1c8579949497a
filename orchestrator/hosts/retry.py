"""A host that tries again at once what a moment's silence spoiled: a restarted engine, a reset connection.

Only ``TryAgain`` is retried, a few times within a short budget; after that it goes on to the executor, which owns the long
waiting. Deeds of the port may be asked for twice, so a retry can do no harm.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_exponential

from orchestrator.hosts.skin import HostSkin
from orchestrator.model.host import Host
from orchestrator.model.outcomes import TryAgain

Answer = TypeVar("Answer")


class RetryHost(HostSkin):
    """Retries for up to ``budget_s`` seconds, first after ``first_wait_s``, then longer each time."""

    def __init__(
        self,
        inner: Host,
        budget_s: float = 1.0,
        first_wait_s: float = 0.05,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(inner)
        self._retrying = Retrying(
            retry=retry_if_exception_type(TryAgain),
            stop=stop_after_delay(budget_s),
            wait=wait_exponential(multiplier=first_wait_s, max=budget_s),
            sleep=sleep,
            reraise=True,
        )

    def _ask(self, sentence: str, question: Callable[[], Answer]) -> Answer:  # noqa: ARG002
        return self._retrying.copy()(question)

    def _do(self, sentence: str, deed: Callable[[], None]) -> None:  # noqa: ARG002
        self._retrying.copy()(deed)
