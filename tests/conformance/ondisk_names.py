"""The on-disk world's name service and clients: a port over the file that ``tests.conformance.ondisk`` keeps."""

# ruff: noqa: ARG002 - the ports' signatures
from __future__ import annotations

from collections.abc import Sequence

from orchestrator.model.names import NameChange, NameChanges, NameMove, NameRecords
from orchestrator.model.outcomes import TryAgain
from orchestrator.model.ports import HealthProbe
from tests.conformance.ondisk import SIDES, World


class DiskNames:
    """The ``NameService`` port over a world: one server, records by name and type."""

    def __init__(self, world: World) -> None:
        self._world = world

    def records(self, move: NameMove) -> tuple[NameRecords, ...]:
        return tuple(change.before for change in self.plan(move).changes if change.before)

    def resolve(self, name: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
        found = self._world.state["names"].get(f"{name.rstrip('.')}. A")
        return (("10.0.0.53", tuple(found["data"]) if found else ()),)

    def plan(self, move: NameMove) -> NameChanges:
        swap = dict(move.addresses)
        changes = []
        for key, found in sorted(self._world.state["names"].items()):
            data = tuple(swap.get(one, one) for one in found["data"])
            if data != tuple(found["data"]):
                name, kind = key.split()
                before = NameRecords("lab.example.", name, kind, found["ttl_s"], tuple(found["data"]))
                changes.append(
                    NameChange("10.0.0.53", before, NameRecords("lab.example.", name, kind, found["ttl_s"], data))
                )
        return NameChanges(tuple(changes))

    def apply(self, changes: NameChanges) -> None:
        self._write([(change.before, change.after) for change in changes.changes])

    def put_back(self, changes: NameChanges) -> None:
        self._write([(change.after, change.before) for change in changes.changes])

    def _write(self, pairs: Sequence[tuple[NameRecords | None, NameRecords | None]]) -> None:
        for before, after in pairs:
            with self._world.change() as state:
                subject = after or before
                assert subject is not None
                key = f"{subject.name} {subject.type}"
                if after is None:
                    state["names"].pop(key, None)
                else:
                    state["names"][key] = {"ttl_s": after.ttl_s, "data": list(after.data)}
            self._world.halfway()

    def set_ttl(self, changes: NameChanges) -> None:
        for change in changes.changes:
            with self._world.change() as state:
                found = state["names"].get(f"{change.after.name} {change.after.type}") if change.after else None
                if found and change.after:
                    found["ttl_s"] = change.after.ttl_s
            self._world.halfway()

    def has_ttl(self, changes: NameChanges) -> bool:
        names = self._world.state["names"]
        wanted = [(names.get(f"{one.after.name} {one.after.type}"), one.after) for one in changes.changes if one.after]
        return all(found is None or found["ttl_s"] == after.ttl_s for found, after in wanted)

    def applied(self, changes: NameChanges) -> bool:
        return all(self._holds(change.after, change.before) for change in changes.changes)

    def is_put_back(self, changes: NameChanges) -> bool:
        return all(self._holds(change.before, change.after) for change in changes.changes)

    def lock(self, changes: NameChanges) -> None:
        """These names are in no directory."""

    def is_locked(self, changes: NameChanges) -> bool:
        return True

    def unlock(self, changes: NameChanges) -> None:
        """These names are in no directory."""

    def is_unlocked(self, changes: NameChanges) -> bool:
        return True

    def refresh(self, changes: NameChanges) -> None:
        """These names never age."""

    def _holds(self, wanted: NameRecords | None, other: NameRecords | None) -> bool:
        subject = wanted or other
        assert subject is not None
        found = self._world.state["names"].get(f"{subject.name} {subject.type}")
        if wanted is None:
            return found is None
        return bool(found == {"ttl_s": wanted.ttl_s, "data": list(wanted.data)})

    def test(self, name: str) -> tuple[tuple[str, str], ...]:
        return ()


class DiskClients:
    """A client: it asks DNS, then whoever has the address."""

    def __init__(self, world: World) -> None:
        self._world = world

    def ask(self, probe: HealthProbe) -> str:
        state = self._world.state
        found = state["names"].get(f"{probe.name.rstrip('.')}. A", {"data": []})
        for side in SIDES:
            if (
                state["sides"][side]["address"] in found["data"]
                and "running" in state["sides"][side]["services"].values()
            ):
                return f"{probe.name} was answered by {side}"
        raise TryAgain(f"nobody answers at {', '.join(found['data']) or probe.name}", after_s=0.1)
