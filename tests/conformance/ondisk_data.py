"""The on-disk world's replication: a port over the file that ``tests.conformance.ondisk`` keeps."""

# ruff: noqa: ARG002 - the ports' signatures
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.model.capabilities import NATIVE
from orchestrator.model.inventory import ReplicaFacts
from orchestrator.model.outcomes import GiveUp, TryAgain
from orchestrator.model.ports import Link, LinkStatus
from orchestrator.model.servers import Where
from tests.conformance.ondisk import ALIVE, SIDES, State, World


class DiskReplication:
    """The ``Replication`` port over a world."""

    def __init__(self, world: World) -> None:
        self._world = world

    @property
    def capabilities(self) -> frozenset[str]:
        return NATIVE

    def paired(self) -> bool:
        sides = self._world.state["sides"]
        return "beta" in sides["source"]["peers"] and "alpha" in sides["target"]["peers"]

    def pair(self) -> None:
        for side, peer in (("source", "beta"), ("target", "alpha")):
            with self._world.change() as state:
                state["sides"][side]["peers"] = [peer]
            self._world.halfway()

    def unpair(self) -> None:
        with self._world.change() as state:
            for side in SIDES:
                state["sides"][side]["peers"] = []

    def captured(self, where: Where, path: str) -> bool:
        return path in self._world.state["sides"][where.value]["captured"]

    def capture(self, where: Where, path: str, limits: Mapping[str, Any]) -> None:
        with self._world.change() as state:
            side = state["sides"][where.value]
            if ALIVE & set(side["services"].values()) and path not in side["captured"]:
                state["violations"].append(f"capture over {path} while services had it open on {where}")
            side["captured"] = sorted({*side["captured"], path})
        self._world.halfway()

    def uncapture(self, where: Where, path: str) -> None:
        with self._world.change() as state:
            side = state["sides"][where.value]
            side["captured"] = [one for one in side["captured"] if one != path]
        self._world.halfway()

    def replication_set(self, where: Where, name: str) -> Mapping[str, Any] | None:
        found: Mapping[str, Any] | None = self._world.state["sides"][where.value]["sets"].get(name)
        return found

    def put_replication_set(self, where: Where, name: str, root: str, rules: Sequence[Mapping[str, Any]]) -> None:
        with self._world.change() as state:
            state["sides"][where.value]["sets"][name] = {"root": root, "rules": [dict(rule) for rule in rules]}

    def remove_replication_set(self, where: Where, name: str) -> None:
        with self._world.change() as state:
            state["sides"][where.value]["sets"].pop(name, None)

    def connect(self, link: Link) -> None:
        with self._world.change() as state:
            origin, other = self._ends(state, link)
            if not origin["peers"] or link.replication_set not in origin["sets"]:
                raise GiveUp(f"{link.origin} cannot connect: not paired, or no set {link.replication_set}")
            if link.source_path not in origin["captured"]:
                raise GiveUp(f"{link.source_path} is not captured on the {link.origin}")
            replica = other["replicas"].setdefault(link.replication_set, {"promoted": False, "epoch": 0})
            if replica["promoted"]:
                raise GiveUp("restore required: the target was promoted")
            known = [record["document"]["epoch"] for record in other["records"].values()]
            if link.epoch < max(replica["epoch"], *known, 0):
                raise GiveUp(f"stale epoch {link.epoch}")
            replica["epoch"] = link.epoch
            origin["links"][_key(link)] = {"data_state": "not_ready", "epoch": link.epoch}
        self._world.halfway()
        with self._world.change() as state:
            self._ends(state, link)[0]["links"][_key(link)]["data_state"] = "mirroring"

    def status(self, link: Link) -> LinkStatus | None:
        with self._world.change() as state:
            origin, other = self._ends(state, link)
            held = origin["links"].get(_key(link))
            if held is None:
                return None
            if other["replicas"].get(link.replication_set, {}).get("promoted"):
                return LinkStatus("Error", "restore_required", epoch=held["epoch"])
            now = held["data_state"]
            if now in {"not_ready", "mirroring"}:
                held["looks"] = held.get("looks", 0) + 1
                held["data_state"] = "good" if held["looks"] > 2 else "mirroring"
            elif now == "good":
                if link.target_path in other["captured"]:
                    state["violations"].append(f"apply wrote under the live mount {link.target_path}")
                other["data"] = origin["data"]
                other["directories"][link.target_path] = origin["directories"].get(link.source_path, 1)
        percent = {"not_ready": 0.0, "mirroring": 50.0, "good": 100.0}[now]
        return LinkStatus(
            "Started", now, percent, epoch=held["epoch"], applied_sequence=1, committed_sequence=1, sent_bytes=7
        )

    def disconnect(self, link: Link) -> None:
        with self._world.change() as state:
            self._ends(state, link)[0]["links"].pop(_key(link), None)

    def settle(self, link: Link) -> None:
        status = self.status(link)
        if status is None or not status.in_step:
            raise TryAgain("not settled yet", after_s=0.1)

    def replica(self, link: Link) -> ReplicaFacts | None:
        held = self._ends(self._world.state, link)[1]["replicas"].get(link.replication_set)
        if held is None:
            return None
        return ReplicaFacts("alpha", link.replication_set, link.target_path, "good", link.protection, held["promoted"])

    def promote(self, link: Link, epoch: int) -> None:
        self._set_promoted(link, epoch, promoted=True)

    def pause(self, link: Link) -> None:
        raise GiveUp("this world's replication has no pause")

    def resume(self, link: Link) -> None:
        raise GiveUp("this world's replication has no pause")

    def reverse(self, link: Link, epoch: int) -> None:
        raise GiveUp("this world's replication has no turn of its direction")

    def demote(self, link: Link, epoch: int, *, discard_changes: bool) -> None:
        self._set_promoted(link, epoch, promoted=False)

    def _set_promoted(self, link: Link, epoch: int, *, promoted: bool) -> None:
        with self._world.change() as state:
            held = self._ends(state, link)[1]["replicas"].setdefault(link.replication_set, {})
            held.update(promoted=promoted, epoch=max(epoch, held.get("epoch", 0)))

    def _ends(self, state: State, link: Link) -> tuple[State, State]:
        return state["sides"][link.origin.value], state["sides"][link.origin.other.value]


def _key(link: Link) -> str:
    return f"{link.protection}/{link.replication_set}/{link.purpose}"
