"""The machine as a whole: its parts, its clock, its power."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.lab.windows.machine.accounts import Accounts
from tests.lab.windows.machine.acls import Acls
from tests.lab.windows.machine.cluster import Cluster
from tests.lab.windows.machine.computer import Computer
from tests.lab.windows.machine.events import Events
from tests.lab.windows.machine.faults import Faults
from tests.lab.windows.machine.files import Files
from tests.lab.windows.machine.firewall import Firewall
from tests.lab.windows.machine.network import Network
from tests.lab.windows.machine.part import Part
from tests.lab.windows.machine.registry import Registry
from tests.lab.windows.machine.replica import Replica
from tests.lab.windows.machine.services import Services
from tests.lab.windows.machine.settings import Hooks, MachineSettings
from tests.lab.windows.machine.shadows import Shadows
from tests.lab.windows.machine.shares import Shares
from tests.lab.windows.machine.store import Store
from tests.lab.windows.machine.tasks import Tasks
from tests.lab.windows.machine.volumes import Volumes


class Machine:
    """A server made of its state directory; it is off until ``boot``.

    A power cut is the end of the process (or ``power_cut``); what was saved is there at the next boot.
    """

    def __init__(
        self,
        state_directory: Path,
        settings: MachineSettings | None = None,
        hooks: Hooks | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.directory = Path(state_directory)
        self.store = Store(self.directory)
        self.settings = settings or MachineSettings()
        self.hooks = hooks or Hooks()
        self.faults = Faults()
        self.lock = threading.RLock()
        self._clock = clock
        self._sleep = sleep
        self._monotonic = time.monotonic if clock is time.time else clock
        self._powered_at = self._monotonic()
        self.booted = False
        self.boots = 0
        self.booted_at = clock()
        self._make_parts()

    def _make_parts(self) -> None:
        self.registry = Registry(self)
        self.events = Events(self)
        self.computer = Computer(self)
        self.accounts = Accounts(self)
        self.services = Services(self)
        self.volumes = Volumes(self)
        self.files = Files(self)
        self.acls = Acls(self)
        self.network = Network(self)
        self.firewall = Firewall(self)
        self.shares = Shares(self)
        self.tasks = Tasks(self)
        self.shadows = Shadows(self)
        self.replica = Replica(self)
        self.cluster = Cluster(self)

    @property
    def parts(self) -> tuple[Part, ...]:
        """In the order in which they boot."""
        early = (
            self.registry,
            self.events,
            self.computer,
            self.accounts,
            self.volumes,
            self.network,
            self.firewall,
            self.shares,
        )
        return (*early, self.acls, self.shadows, self.replica, self.services, self.cluster, self.tasks)

    def now(self) -> float:
        """The machine's clock in epoch seconds (with its offset)."""
        return self._clock() + self.computer.clock_offset_s if hasattr(self, "computer") else self._clock()

    def boot_ticks(self) -> int:
        """What QueryPerformanceCounter counts: 100 ns since this boot, whatever the clock does."""
        return int((self._monotonic() - self._powered_at) * 10_000_000)

    def boot(self) -> Machine:
        """Power on: settle what waits for a restart, then start the parts."""
        with self.lock, self.registry:
            if self.booted:
                message = "it runs already"
                raise RuntimeError(message)
            for part in self.parts:
                part.power_on()
            self.booted_at, self.boots = self.now(), self.boots + 1
            self._powered_at = self._monotonic()
            for part in self.parts:
                part.boot()
            self.booted = True
            self.store.durable = True
            self.events.write("System", "EventLog", 6005, "Information", "The Event log service was started.")
        return self

    def power_cut(self) -> None:
        """The power goes: everything that is only in memory is lost, the lab's own processes behind services end."""
        with self.lock:
            self.booted = False
            self.replica.stop_network()
            for name, (_, stop) in self.hooks.deeds.items():
                if self.services.status(name) in {"Running", "StopPending", "Paused"}:
                    stop()
            self.network.power_off()
            self.faults.clear()
            for part in self.parts:
                part.power_on()

    def restart(self) -> None:
        """An ordered restart; the lab's own way when it has one (a cut wire, a new process)."""
        self.events.write(
            "System", "User32", 1074, "Information", "The process has initiated the restart of the computer."
        )
        if self.hooks.restart:
            self.hooks.restart(self)
            return
        self.power_cut()
        self.boot()

    def tick(self, now: float | None = None) -> None:
        """Let the parts do what is due; the host's process calls it about ten times a second."""
        with self.lock:
            if self.booted:
                for part in self.parts:
                    part.tick(self.now() if now is None else now)

    def wait(self, settled: Callable[[], bool], timeout_s: float, step_s: float = 0.05) -> bool:
        """Wait in the machine's own time; whether it came about."""
        end = self._clock() + timeout_s
        while not settled():
            if self._clock() >= end:
                return False
            self._sleep(step_s)
            self.tick()
        return True

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        self._sleep(seconds)
