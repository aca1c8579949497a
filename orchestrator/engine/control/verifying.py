"""Verifications at their hours: each connection may have a schedule, which outlives the daemon.

One that is due while the connection mirrors, or is not Started, waits until it can be done; what was due while the daemon was away is done
once. Lock: one for the plans.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from orchestrator.engine.control import schema, store
from orchestrator.engine.control.answers_connections import ConnectionStatus
from orchestrator.engine.control.errors import Unknown
from orchestrator.engine.control.schema_verify import VerifyPlan, VerifySchedule
from orchestrator.errors import DtamError

LOOK_S = 5.0


class Verifiable(Protocol):
    """The connections."""

    def status(self, key: str) -> ConnectionStatus:
        """One of them; ``Unknown`` if it is gone."""

    def act(self, key: str, action: schema.ConnectionAction) -> ConnectionStatus:
        """Tell it something."""


def following(schedule: VerifySchedule, due_ns: int, now_ns: int) -> int | None:
    """When it is due after the one that was due then: whole intervals on, and later than now."""
    if schedule.interval_s is None:
        return None
    interval_ns = schedule.interval_s * 1_000_000_000
    return due_ns + interval_ns * ((now_ns - due_ns) // interval_ns + 1)


def action_of(schedule: VerifySchedule) -> schema.ConnectionAction:
    """The verification that a schedule asks for."""
    options = schema.MirrorOptions(
        kind="difference",
        checksum=schedule.checksum,
        only_newer=schedule.only_newer,
        orphans=schema.Orphans(action="log"),
    )
    return schema.ConnectionAction(
        action=schema.ConnectionActionKind.VERIFY, options=options, remirror=schedule.remirror
    )


class Verifying:
    """The plans by connection. Callable from any thread; ``start`` and ``stop`` a thread that looks what is due."""

    def __init__(self, directory: Path, connections: Verifiable, *, now_ns: Callable[[], int] = time.time_ns) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory = directory
        self._connections = connections
        self._now_ns = now_ns
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="verifying", daemon=True)
        self._plans: dict[str, VerifyPlan] = {}

    def start(self) -> None:
        """Go on with what was planned."""
        self._plans = {plan.key: plan for plan in store.load_all(self._directory, VerifyPlan)}
        self._thread.start()

    def stop(self) -> None:
        """End; the plans stay."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def plan(self, key: str, schedule: VerifySchedule) -> VerifyPlan:
        """Verify a connection at these hours from now on.

        Raises:
            Unknown: there is no such connection.
        """
        known = self._connections.status(key).key
        due_ns = self._now_ns() if schedule.first_ns is None else schedule.first_ns
        return self._keep(VerifyPlan(key=known, schedule=schedule, due_ns=due_ns))

    def planned(self, key: str) -> VerifyPlan:
        """The plan of a connection.

        Raises:
            Unknown: there is none.
        """
        known = self._connections.status(key).key
        with self._lock:
            if known not in self._plans:
                raise Unknown(kind="verification schedule of connection", name=key, listing="connections list")
            return self._plans[known]

    def forget(self, key: str) -> None:
        """Verify a connection no more by itself."""
        self._drop(self._connections.status(key).key)

    def look(self) -> None:
        """Do what is due and possible."""
        now_ns = self._now_ns()
        for plan in list(self._plans.values()):
            if plan.due_ns is not None and plan.due_ns <= now_ns:
                self._do(plan, plan.due_ns, now_ns)

    def _do(self, plan: VerifyPlan, due_ns: int, now_ns: int) -> None:
        try:
            status = self._connections.status(plan.key)
            if status.state != "Started" or status.mirror_state != "Idle":
                return
            self._connections.act(plan.key, action_of(plan.schedule))
            last = "started"
        except Unknown:
            self._drop(plan.key)
            return
        except DtamError as error:
            last = str(error)
        update = {"due_ns": following(plan.schedule, due_ns, now_ns), "last_ns": now_ns, "last": last}
        with self._lock:
            if self._plans.get(plan.key) is plan:
                self._keep(plan.model_copy(update=update))

    def _keep(self, plan: VerifyPlan) -> VerifyPlan:
        with self._lock:
            store.save(self._directory / f"{plan.key}.json", plan)
            self._plans[plan.key] = plan
            return plan

    def _drop(self, key: str) -> None:
        with self._lock:
            self._plans.pop(key, None)
            store.remove(self._directory / f"{key}.json")

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_S):
            self.look()
