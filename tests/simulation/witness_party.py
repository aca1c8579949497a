"""The witness: the real book and its rules on a faulty disk."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.engine.witness.book import Book
from orchestrator.engine.witness.rules import GrantAnswer
from orchestrator.engine.witness.store import Store
from orchestrator.engine.witness.wire import RegisterRequest
from tests.simulation.disk import FaultyDisk
from tests.simulation.world import Crashed, HostClock, Violation, World

PROTECTION = "p"


class WitnessParty:
    """Up or down; every grant that it ever said yes to is remembered for the invariants."""

    name = "witness"

    def __init__(self, world: World, *, failing: float, crashing: float, book: type[Book] = Book) -> None:
        self._world = world
        self._book_class = book
        self.clock = HostClock(world)
        self.disk = FaultyDisk(world, self.crash, failing=failing, crashing=crashing)
        self.granted: dict[int, str] = {}
        self.book: Book | None = self._open()
        self._highest = 0
        self._first_registration()

    def _first_registration(self) -> None:
        while self.book is None or not self._registered(self.book):
            self.restart()

    def _registered(self, book: Book) -> bool:
        try:
            return book.register(PROTECTION, RegisterRequest(1, "alpha", 3.0)).granted
        except (OSError, Crashed):
            return False

    def _open(self) -> Book:
        return self._book_class(Store(self.disk), self.clock.seconds, self.clock.realtime_ns)

    def crash(self) -> None:
        if self.book is not None:
            self._world.say("witness dies")
            self.book = None
            self._world.after(self._world.rng.uniform(0.05, 4), self.restart)

    def restart(self) -> None:
        if self.book is None:
            if self._world.rng.random() < 0.3:
                self.clock.reboot()
            self.book = self._open()
            self._world.say("witness is back")

    def ask(self, question: Callable[[Book], object], candidate: str = "") -> object | None:
        """What a request brings; None = no answer."""
        if self.book is None:
            return None
        try:
            answer = question(self.book)
        except (OSError, Crashed):
            return None
        self._remember(answer, candidate)
        return answer

    def _remember(self, answer: object, candidate: str) -> None:
        epoch = getattr(answer, "epoch", 0)
        if epoch < self._highest:
            raise Violation(f"the witness said epoch {self._highest}, now {epoch}")
        self._highest = max(self._highest, epoch)
        if isinstance(answer, GrantAnswer) and answer.granted:
            winner = self.granted.setdefault(answer.epoch, candidate)
            if winner != candidate:
                raise Violation(f"epoch {answer.epoch} was granted to {winner} and to {candidate}")
