"""Something that goes on in a thread while a block of a test runs."""

from __future__ import annotations

import threading
from typing import Self


class Background:
    """Subclasses do a piece of work again and again until ``over`` is set; ``failure`` is why they could not."""

    failure = ""
    failures: tuple[type[Exception], ...] = (OSError,)
    """What may go wrong with the work."""

    def __enter__(self) -> Self:
        self.over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            self.work()
        except self.failures as error:
            self.failure = str(error)

    def work(self) -> None:
        """All of it, to its end."""
        raise NotImplementedError
