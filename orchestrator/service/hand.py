"""The hand of a watch: every call that waits for hosts or disks, made in threads of its own, each with a pipeline of its own.

One thread looks at our own disk, one gives leases, one gathers facts, one carries out runs: a failover that takes minutes, or a host that hangs, holds up neither the watch nor another protection.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from orchestrator.pipeline import Pipeline

Value = TypeVar("Value")
Opened = Callable[[], Pipeline]
"""Opens a pipeline over the state directory, in the thread that will use it."""
log = logging.getLogger("dtam.serve")
BY = "dtam serve"


def over(home: Path) -> Opened:
    """Pipelines of `dtam serve` over a state directory."""
    return lambda: Pipeline(home, BY)


class Hand:
    """One thread with one pipeline, opened in it at the first call; jobs come one after the other."""

    def __init__(self, opened: Opened, name: str) -> None:
        self._opened_by = opened
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._pipeline: Pipeline | None = None

    def submit(self, job: Callable[[Pipeline], Value]) -> asyncio.Future[Value]:
        """Do it in the thread."""
        return asyncio.get_running_loop().run_in_executor(self._pool, lambda: job(self._opened()))

    def _opened(self) -> Pipeline:
        if self._pipeline is None:
            self._pipeline = self._opened_by()
        return self._pipeline

    async def close(self) -> None:
        """After the job under way."""
        await asyncio.get_running_loop().run_in_executor(self._pool, self._close)
        self._pool.shutdown(wait=False)

    def _close(self) -> None:
        if self._pipeline is not None:
            self._pipeline.close()
            self._pipeline = None
