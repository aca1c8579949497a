"""The source of a simulation of leases: a Windows host with its guard (as docs/decisions/0009 has it), and what may happen to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from orchestrator.model.host import ProtectionView
from tests.simulation.witness_party import PROTECTION
from tests.simulation.world import HostClock, World

LEASE_S, GRACE_S = 4.0, 3.0
LOOK_S, STOP_S, STILL_S = 0.3, 0.5, 1.0


@dataclass(frozen=True)
class Scene:
    """What is planted, and what may happen. ``freezes_s``: how long the source may stand still; ``pauses``: its clock stands still with it."""

    fence_command: bool = False
    freezes_s: tuple[float, ...] = (0.2, 0.5, 1.0)
    pauses: bool = False
    slowest_s: float = 6.0
    patch: Callable[[], AbstractContextManager[object]] = nullcontext
    guard: Mapping[str, bool] = field(default_factory=dict)


class SlowWorld(World):
    """A network whose late messages are very late: WinRM is TCP, and a server that was busy answers all the same."""

    def __init__(self, seed: int, slowest_s: float) -> None:
        super().__init__(seed)
        self._slowest_s = slowest_s

    def delay(self) -> float:
        return self.rng.random() ** 8 * self._slowest_s + 0.001


class Source:
    """A Windows host: services that its guard stops when the lease has run out, and starts when one is given."""

    name = "alpha"

    def __init__(self, world: World, scene: Scene) -> None:
        self._world, self._scene = world, scene
        self.clock = HostClock(world)
        self.powered = self.running = True
        self.thaws_at = 0.0
        self.boot, self.n, self.epoch = 1, 0, 1
        self.until_s: float | None = None
        self.has_lease = True  # endless, as an enable leaves it
        self._looked_s = self.clock.seconds()
        self._stood_still = 0.0
        self._world.after(LOOK_S, self._look)

    @property
    def awake(self) -> bool:
        return self.powered and self._world.now >= self.thaws_at

    def serves(self) -> bool:
        return self.awake and self.running

    def ticks_s(self) -> float:
        return self.clock.seconds() - self._stood_still

    # -- the guard

    def _look(self) -> None:
        if self.awake:
            self._guard()
        late = self._world.rng.choice((0.0, 0.0, 0.0, 0.4, 1.0))  # the scheduler is late
        self._world.after(LOOK_S + late, self._look)

    def _guard(self) -> None:
        now_s, before_s = self.ticks_s(), self._looked_s
        self._looked_s = now_s
        stood_still = self.until_s is not None and now_s - before_s > STILL_S + 1.0
        over = not self.has_lease or (self.until_s is not None and now_s >= self.until_s)
        if (over or stood_still) and self.running and not self._scene.guard.get("sleeps"):
            self.has_lease = False
            boot = self.boot
            self._world.after(self._world.rng.uniform(0, STOP_S), lambda: self._stop(boot))

    def _stop(self, boot: int) -> None:
        if boot == self.boot and not self.has_lease:
            self.running = False

    # -- what it is asked

    def view(self) -> ProtectionView | None:
        if not self.awake:
            return None
        fenced = not self.running and not self.has_lease and self.epoch > 1
        return ProtectionView(
            PROTECTION, "source", self.epoch, fenced, False, boot=str(self.boot), ticks_s=self.ticks_s(), guard_s=self.ticks_s() - self._looked_s,
            lease_n=self.n,
        )  # fmt: skip

    def take(self, settings: Mapping[str, Any]) -> str | None:
        if not self.awake:
            return None
        lax = self._scene.guard.get("takes_any")
        if not lax and (
            settings["epoch"] != self.epoch or settings["boot"] != str(self.boot) or settings["n"] <= self.n
        ):
            return "refused"
        until_s = settings["until_s"]
        is_past = until_s is not None and self.ticks_s() >= until_s
        if is_past and not self._scene.guard.get("takes_what_is_past"):
            return "refused"
        if lax and until_s is not None:
            until_s = self.ticks_s() + LEASE_S
        self.n = settings["n"]
        self.until_s, self.has_lease, self.running = until_s, True, True
        return "taken"

    # -- bad luck

    def cut_power(self) -> None:
        self._world.say("the source loses its power")
        self._down()
        self._world.after(self._world.rng.uniform(1, 20), self._start)

    def turn_off(self) -> None:
        self._world.say("the source is turned off by the fence command")
        self._down()

    def _down(self) -> None:
        self.powered = self.running = self.has_lease = False
        self.boot += 1

    def _start(self) -> None:
        """Protected services are Manual: nothing of them starts by itself."""
        if not self.powered:
            self.clock.reboot()
            self._stood_still, self.n, self.until_s = 0.0, 0, None
            self.powered, self._looked_s = True, 0.0
            if self._scene.guard.get("starts_by_itself"):
                self.running = self.has_lease = True

    def freeze(self, seconds: float) -> None:
        if self._world.now < self.thaws_at + GRACE_S:
            return  # it is what it stands still within a grace that counts
        self._world.say(f"the source stands still for {seconds:.1f} s")
        thaws_at = self._world.now + seconds
        if self._scene.pauses and self.powered:
            self._stood_still += seconds
        self.thaws_at = thaws_at
