"""The ledger: what was promised about each protection, on the disk before it is sent; one file a protection, any number of processes.

Nothing is kept in memory between two calls, so that `dtam serve` and a command beside it believe the same, and a kill anywhere loses nothing.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import msgspec

from orchestrator.engine.witness.errors import RecordDamaged
from orchestrator.engine.witness.store import DirectoryShelf, Shelf, seal, unseal
from orchestrator.leasing import rules
from orchestrator.leasing.errors import LedgerUnusable
from orchestrator.leasing.rules import HolderClock, Now, Promised, Renewal

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def this_machine() -> Now:
    """CLOCK_BOOTTIME (goes on while the machine sleeps, is never set) and the kernel's id of this boot."""
    return Now(time.clock_gettime(time.CLOCK_BOOTTIME), BOOT_ID.read_text().strip())


class Ledger:
    """Promises below a directory. ``alone`` keeps other processes away while one changes; ``now`` is this machine's clock."""

    def __init__(
        self,
        shelf: Shelf,
        alone: Callable[[str], AbstractContextManager[None]],
        now: Callable[[], Now] = this_machine,
    ) -> None:
        self._shelf = shelf
        self._alone = alone
        self._now = now

    @classmethod
    def at(cls, directory: Path, now: Callable[[], Now] = this_machine) -> Ledger:
        """The ledger in a directory of the file system, made when it is not there."""
        return cls(DirectoryShelf(directory), lambda name: _locked(directory / f".{name}.lock"), now)

    def now(self) -> Now:
        """This machine's clock."""
        return self._now()

    def look(self, protection: str) -> Promised:
        """What stands there.

        Raises:
            LedgerUnusable: it cannot be read, or is damaged.
        """
        try:
            stored = self._shelf.read(protection)
            if stored is None:
                return Promised()
            return msgspec.json.decode(unseal(stored, protection), type=Promised)
        except (OSError, msgspec.MsgspecError, RecordDamaged) as error:
            raise LedgerUnusable(protection=protection, why=str(error)) from error

    def remaining_s(self, protection: str) -> float:
        """For how long the holder may still believe in its lease."""
        return rules.remaining_s(self._on_this_boot(protection), self._now())

    def sure_in_s(self, protection: str, grace_s: float) -> float:
        """When the holder has surely stopped, in seconds from now; infinite while an endless lease may be held."""
        return rules.sure_in_s(self._on_this_boot(protection), self._now(), grace_s)

    def give(self, protection: str, clock: HolderClock, epoch: int, lease_s: float | None) -> Renewal | None:
        """The next lease, on the disk already; None while a failover asks for the next epoch, or where a newer one was granted."""
        with self._alone(protection):
            promised = self.look(protection)
            if promised.asking or promised.granted > epoch:
                return None
            if not promised.giver:
                promised = msgspec.structs.replace(promised, giver=secrets.token_hex(8))
            after, renewal = rules.give(promised, clock, self._now(), epoch=epoch, lease_s=lease_s)
            self._keep(protection, after)
            return renewal

    def taken(self, protection: str, renewal: Renewal) -> None:
        """The holder took it."""
        with self._alone(protection):
            self._change(protection, lambda promised: rules.taken(promised, renewal))

    def somebody_else_gives(self, protection: str) -> None:
        """The holder takes its leases from another ledger, so nothing that was promised here says when it stops."""
        with self._alone(protection):
            self._change(protection, lambda promised: msgspec.structs.replace(promised, timed=False))

    def stop_giving(self, protection: str) -> None:
        """From now on nothing is given: the next epoch is about to be asked for."""
        with self._alone(protection):
            self._change(protection, lambda promised: msgspec.structs.replace(promised, asking=True))

    def give_again(self, protection: str) -> None:
        """The next epoch was clearly not granted."""
        with self._alone(protection):
            self._change(protection, lambda promised: msgspec.structs.replace(promised, asking=False))

    def note_granted(self, protection: str, epoch: int) -> None:
        """The epoch is granted, and whoever had the one before is out."""
        with self._alone(protection):
            self._change(protection, lambda promised: rules.granted(promised, epoch))

    def _on_this_boot(self, protection: str) -> Promised:
        """What stands there; the first look after a boot of this machine is when the longest lease begins to count, for good."""
        promised = self.look(protection)
        if promised.boot == self._now().boot or not promised.longest_s:
            return promised
        with self._alone(protection):
            self._change(protection, lambda found: rules.on_this_boot(found, self._now()))
            return self.look(protection)

    def _change(self, protection: str, change: Callable[[Promised], Promised]) -> None:
        before = self.look(protection)
        after = change(before)
        if after != before:
            self._keep(protection, after)

    def _keep(self, protection: str, promised: Promised) -> None:
        try:
            self._shelf.replace(protection, seal(msgspec.json.encode(promised)))
        except OSError as error:
            raise LedgerUnusable(protection=protection, why=error.strerror or str(error)) from error


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def ledger_of(home: Path) -> Ledger:
    """The ledger of a state directory."""
    return Ledger.at(home / "leases")
