"""Two pretended Windows hosts with Storage Replica, whose whole state is one file: what each named script would say, and refuse.

Written from the published pages: a destination's volumes are down; the direction is turned only by one that reaches the other, unless
forced; never during the first copy; the source's own figure of what is left is always 0; a partnership is removed at its source, else
by force. It pretends; the lab's simulated host evaluates the real scripts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from orchestrator.model.outcomes import GiveUp, TryAgain
from tests.conformance.statefile import State, StateFile

SIZE_BYTES = 1000


def new_servers() -> State:
    """Two servers with a volume E: each; the source's holds data."""
    servers = {
        name: {"down": False, "groups": {}, "left": [], "volumes": {"E:": {"up": True, "data": data}}}
        for name, data in (("alpha", 7), ("beta", 0))
    }
    return {"servers": servers, "turns_by_force": True, "violations": []}


class ReplicaHost:
    """One server, as far as scripts for Storage Replica are called on it."""

    def __init__(self, world: StateFile, name: str) -> None:
        self._world = world
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    def call(self, script: str, arguments: Mapping[str, Any], *, deed: bool = True) -> tuple[Mapping[str, Any], ...]:
        assert deed is (script != "storage_replica_state")
        if self._world.state["servers"][self._name]["down"]:
            raise TryAgain(f"{self._name} does not answer")
        deeds: dict[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = {
            "storage_replica_state": self._state,
            "storage_replica_connect": self._connect,
            "storage_replica_reverse": self._reverse,
            "storage_replica_remove": self._remove,
            "storage_replica_suspend": lambda given: self._suspend(given, on=True),
            "storage_replica_resume": lambda given: self._suspend(given, on=False),
        }
        return (deeds[script](arguments),)

    def _own(self, state: State) -> State:
        server: State = state["servers"][self._name]
        return server

    def _state(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        with self._world.change() as state:
            own = self._own(state)
            held = own["groups"].get(given["group"])
            left = given["group"] in own["left"]
            if held is None:
                return {"group": "", "role": "none", "left": left, "replicas": []}
            self._copy(state, own, held)
            says = {"group": given["group"], "role": held["role"], "partner": held["partner"], "left": left}
        return says | {"replicas": [self._replica(state, held, one) for one in held["volumes"]]}

    def _copy(self, state: State, own: State, held: State) -> None:
        partner = state["servers"][held["partner"]]
        theirs = partner["groups"].get(held["partner_group"])
        if held["role"] != "destination" or partner["down"] or theirs is None or theirs["role"] != "source":
            return
        if held["suspended"] or theirs["suspended"]:
            return
        held["remaining"] = max(0, held["remaining"] - SIZE_BYTES // 2)
        if held["remaining"] == 0:
            for mine, other in zip(held["volumes"], theirs["volumes"], strict=True):
                own["volumes"][mine]["data"] = partner["volumes"][other]["data"]

    def _replica(self, state: State, held: State, volume: str) -> Mapping[str, Any]:
        cut_off = state["servers"][held["partner"]]["down"]
        receives = held["role"] == "destination"
        copying = held["remaining"] > 0
        status = "InitialBlockCopy" if copying else "ContinuouslyReplicating"
        if held["suspended"]:
            status = "Suspended"
        elif cut_off:
            status = "ConnectingToSource" if receives else "WaitingForDestination"
        return {
            "volume": volume,
            "status": status,
            "mode": held["mode"],
            "size_bytes": SIZE_BYTES,
            "bytes_remaining": held["remaining"] if receives else 0,
            "in_sync_age_s": None if copying else 3.0,
        }

    def _connect(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        with self._world.change() as state:
            partner = state["servers"][given["partner"]]
            if partner["down"]:
                raise GiveUp(f"{given['partner']} cannot be reached")
            if given["group"] in self._own(state)["groups"] or given["partner_group"] in partner["groups"]:
                raise GiveUp("a group of that name exists")
            common = {"remaining": SIZE_BYTES, "suspended": False, "mode": given["mode"]}
            sides = (
                (self._own(state), given["group"], "source", given["partner"], given["partner_group"], "volumes"),
                (partner, given["partner_group"], "destination", self._name, given["group"], "partner_volumes"),
            )
            for server, group, role, other, other_group, volumes in sides:
                server["groups"][group] = common | {
                    "role": role,
                    "partner": other,
                    "partner_group": other_group,
                    "volumes": given[volumes],
                }
                server["left"] = [one for one in server["left"] if one != group]
                self._set_up(server, given[volumes], up=role == "source")
        return {}

    def _reverse(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        with self._world.change() as state:
            own, partner = self._own(state), state["servers"][given["partner"]]
            held = own["groups"][given["group"]]
            if held["remaining"] > 0:
                raise GiveUp("the direction cannot be turned during the first copy")
            if partner["down"] and not (given["force"] and state["turns_by_force"]):
                raise GiveUp(f"{given['partner']} cannot be reached")
            held["role"] = "source"
            self._set_up(own, held["volumes"], up=True)
            theirs = partner["groups"].get(given["partner_group"])
            if not partner["down"] and theirs is not None:
                theirs.update(role="destination", remaining=0)
                self._set_up(partner, theirs["volumes"], up=False)
        self._world.halfway()
        return {}

    def _remove(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        with self._world.change() as state:
            own = self._own(state)
            held = own["groups"].get(given["group"])
            if held is None:
                return {}
            if held["role"] != "source" and not given.get("alone"):
                raise GiveUp("a partnership is removed at its source")
            del own["groups"][given["group"]]
            partner = state["servers"][held["partner"]]
            theirs = partner["groups"].get(held["partner_group"])
            if theirs is not None and not partner["down"] and not given.get("alone"):
                theirs["role"] = "none"
            self._set_up(own, held["volumes"], up=True)
            if given.get("left"):
                own["left"].append(given["group"])
        self._world.halfway()
        return {}

    def _suspend(self, given: Mapping[str, Any], *, on: bool) -> Mapping[str, Any]:
        with self._world.change() as state:
            self._own(state)["groups"][given["group"]]["suspended"] = on
        return {}

    @staticmethod
    def _set_up(server: State, volumes: list[str], *, up: bool) -> None:
        for one in volumes:
            server["volumes"][one]["up"] = up
