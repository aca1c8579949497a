"""How an engine's answers become the control plane's two words for failure: silence may pass, a refusal will not.

Used around every question to an engine by the adapters (hosts, replication).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from orchestrator.engine.client import AnswerRefused, EngineUnreachable
from orchestrator.model.outcomes import TryAgain

NOT_FOUND = 404
SILENCE_WAIT_S = 1.0


@contextmanager
def patience() -> Iterator[None]:
    """An engine's silence is worth another try; its refusals are not."""
    try:
        yield
    except EngineUnreachable as silence:
        raise TryAgain(str(silence), after_s=SILENCE_WAIT_S) from silence


class absent_is_fine:  # noqa: N801  it reads as a word after ``with``
    """What is not there needs no removing: an engine's 404 ends the block quietly."""

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> bool:
        """Swallow a 404, nothing else."""
        return isinstance(error, AnswerRefused) and error.status == NOT_FOUND
