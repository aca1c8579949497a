"""Storage Replica between two servers: groups, partnerships, their direction and state.

The destination's volume is out of use while it replicates; it keeps the source's tree as of the last consistent moment, and shows it when it becomes
the source. What each step does when the other side is dead follows Microsoft's page on server-to-server replication and reports of its users:
Set-SRPartnership with the surviving server as the new source works there and leaves the group WaitingForDestination; a source that comes back and
reaches a newer source becomes its destination.
"""

from __future__ import annotations

import shutil
import threading
import uuid
from collections.abc import Collection
from pathlib import Path
from typing import Any

from tests.lab.windows.disk import Rounds, Writers
from tests.lab.windows.machine import replica_data
from tests.lab.windows.machine.part import Part
from tests.lab.windows.machine.replica_data import Image, Kept
from tests.lab.windows.machine.replica_rules import check_volumes, refused
from tests.lab.windows.machine.replica_wire import Listener, Unreachable, ask

RETRY_S = 0.5


class Replica(Part):
    """The groups of this server; each has at most one partner."""

    file = "replica"

    def fresh(self) -> dict[str, Any]:
        return {"groups": {}, "constraints": [], "access": []}

    def power_on(self) -> None:
        self._answering = threading.RLock()
        self._sent: dict[str, Image] = {}
        self._rounds: dict[str, Rounds] = {}
        self.writers = Writers()
        self._reached: dict[str, bool] = {}
        self._trying: set[str] = set()
        self._again_at: dict[str, float] = {}
        self.remaining_bytes: dict[str, int] = {}  # of a first copy that the lab holds back
        self._mounted: dict[str, str] = {}

    _listener: Listener | None = None

    def listen(self, host: str, port: int = 0) -> tuple[str, int]:
        """Answer the other server there from now on; the address is given back."""
        self._listener = Listener((host, port), self._answer)
        return self._listener.address

    def stop_network(self) -> None:
        """Nobody answers any more."""
        if self._listener:
            self._listener.close()
            self._listener = None

    def boot(self) -> None:
        """End what a power cut interrupted; a source that was replaced meanwhile becomes a destination at once."""
        for group in self.groups():
            if group.get("restoring"):
                self._show(group)
            if group["role"] == "Primary" and group["partner"]:
                self._look_for_newer(group)

    def groups(self) -> list[dict[str, Any]]:
        """Every group, by name."""
        return [self.data["groups"][name] for name in sorted(self.data["groups"])]

    def find(self, name: str) -> dict[str, Any] | None:
        """A group by its name."""
        found: dict[str, Any] | None = self.data["groups"].get(name.lower())
        return found

    def get(self, name: str) -> dict[str, Any]:
        """The same, refused when there is none."""
        found = self.find(name)
        if found is None:
            raise refused(f"Unable to find replication group {name}.", 1168, name)
        return found

    def create(self, name: str, volumes: list[str], log_volume: str, log_size: int, **other: Any) -> dict[str, Any]:
        """Make a group; see replica_rules for what its volumes must be."""
        if self.find(name):
            raise refused(f"A replication group named {name} already exists.", 183, name)
        letters, log = check_volumes(self.machine, volumes, log_volume, log_size)
        group = {
            "name": name,
            "id": str(uuid.uuid4()),
            "volumes": letters,
            "log": log,
            "log_size": log_size,
            "description": "",
            "role": None,
            "partner": None,
            "mode": "Synchronous",
            "async_rpo": 30,
            "encrypted": False,
            "consistency": False,
            "suspended": False,
            "complete": False,
            "generation": 0,
            "last_in_sync": None,
            "partitions": {letter: str(uuid.uuid4()) for letter in letters},
        } | other
        self.data["groups"][name.lower()] = group
        self.save()
        return group

    def remove(self, name: str) -> None:
        """Remove a group that is in no partnership; its volumes are usable again."""
        group = self.get(name)
        if group["partner"]:
            raise refused(
                f"The replication group {name} is part of a partnership. Remove the partnership first.", 170, name
            )
        self._release(group)
        shutil.rmtree(self.machine.directory / "replica" / group["id"], ignore_errors=True)
        del self.data["groups"][name.lower()]
        self.save()

    def change(self, group: dict[str, Any], **changes: Any) -> None:
        """Change a group's settings."""
        group.update(changes)
        self.save()

    def address(self, computer: str) -> tuple[str, int]:
        """Where another computer listens; refused when nobody knows it."""
        for name, address in self.machine.hooks.peers.items():
            if name.lower().split(".")[0] == computer.lower().split(".")[0]:
                return address
        raise refused(f"The RPC server is unavailable: {computer}.", 1722, computer)

    def is_self(self, computer: str | None) -> bool:
        """Whether a computer's name is this one's."""
        return (
            computer in {None, ".", "localhost"}
            or str(computer).lower().split(".")[0] == self.machine.computer.name.lower()
        )

    def ask(self, computer: str, request: dict[str, Any], data: bytes = b"") -> dict[str, Any]:
        """Ask the other server; its refusal is raised here. Unreachable is left to the caller."""
        answer = ask(self.address(computer), request, data)
        if "refused" in answer:
            raise refused(answer["refused"], answer.get("code", 1), computer)
        return answer

    def make_source(self, group: dict[str, Any], computer: str, partner_group: str, **settings: Any) -> None:
        """This server's group becomes the source of a new partnership."""
        group.update(
            role="Primary", partner={"computer": computer.upper(), "group": partner_group}, complete=False, **settings
        )
        group["generation"] += 1
        self._forget(group)
        self.save()

    def make_destination(
        self, group: dict[str, Any], computer: str, partner_group: str, generation: int, **settings: Any
    ) -> None:
        """This server's group becomes the destination: its volumes are out of use from now on."""
        partner = {"computer": computer.upper(), "group": partner_group}
        group.update(role="Secondary", partner=partner, generation=generation, **settings)
        for letter in group["volumes"]:
            self.machine.volumes.block(letter, "replication")
        self.save()

    def switch(self, group: dict[str, Any]) -> None:
        """This server becomes the source instead of its partner, which is made the destination when it can be reached.

        Raises:
            Refused: the first copy is not complete.
        """
        if group["role"] == "Primary":
            return
        if not group["complete"]:
            message = f"Unable to switch the direction of replication group {group['name']}: the initial block copy is in progress."
            raise refused(message, 170, group["name"])
        generation = group["generation"] + 1
        partner = group["partner"]
        try:
            self.ask(partner["computer"], {"op": "demote", "group": partner["group"], "generation": generation})
        except Unreachable:
            self._reached[group["name"]] = False
        self._forget(group)
        group.update(role="Primary", generation=generation, restoring=True)
        self.save()
        self._show(group)

    def end_partnership(self, group: dict[str, Any]) -> None:
        """This side forgets its partner; a destination's volume comes back with what was replicated."""
        was_destination = group["role"] == "Secondary"
        group.update(role=None, partner=None, restoring=was_destination)
        self.save()
        if was_destination:
            self._show(group)

    def status(self, group: dict[str, Any]) -> str:
        """As ReplicationStatus tells it."""
        name = group["name"]
        if not group["partner"]:
            return "Unknown" if group["role"] is None else "None"
        if group["suspended"]:
            return "Suspended"
        if group["role"] == "Primary":
            if self._reached.get(name) is False:
                return "WaitingForDestination"
            return self._running_status(group) if group["complete"] else "InitialBlockCopy"
        if self.machine.now() - group.get("heard_at", 0.0) > 5 * RETRY_S:
            return "ConnectingToSource"
        return self._running_status(group) if group["complete"] else "InitialBlockCopy"

    @staticmethod
    def _running_status(group: dict[str, Any]) -> str:
        return "ContinuouslyReplicating" if group["mode"] == "Synchronous" else "ContinuouslyReplicating_InRPO"

    def remaining(self, group: dict[str, Any]) -> int:
        """Bytes still to come: known at the destination only, always 0 at the source."""
        return (
            self.remaining_bytes.get(group["name"], 0) if group["role"] == "Secondary" and not group["complete"] else 0
        )

    def written(self, letter: str) -> None:
        """A cmdlet wrote to the volume: a synchronous group has it on both sides before the cmdlet ends."""
        for group in self.groups():
            mine = group["role"] == "Primary" and letter in group["volumes"] and group["mode"] == "Synchronous"
            if mine and self._reached.get(group["name"], True):
                self._replicate(group)

    def carried(self, letters: Collection[str]) -> None:
        """Wait until the partner of a synchronous group has what was written before on these volumes, unless it cannot be reached."""
        for letter in letters:
            self.written(letter)

    def tick(self, now: float) -> None:
        """Send what changed."""
        for group in self.groups():
            due = self._again_at.get(group["name"], 0.0)
            if group["role"] != "Primary" or not group["partner"] or group["suspended"] or now < due:
                continue
            if self._reached.get(group["name"], True):
                self._replicate(group)
            elif group["name"] not in self._trying:  # a dead partner must not hold up the machine
                self._trying.add(group["name"])
                threading.Thread(target=self._try, args=(group, self.machine.boots), daemon=True).start()

    def _try(self, group: dict[str, Any], boots: int) -> None:
        try:
            if boots == self.machine.boots and self.machine.booted:
                self._replicate(group)
        finally:
            self._trying.discard(group["name"])

    def sync(self, group: dict[str, Any]) -> None:
        """Go on after a suspension, and send now."""
        self.change(group, suspended=False)
        self._replicate(group)

    def _replicate(self, group: dict[str, Any]) -> None:
        """Carry over what is there now; who asks while that is done waits for the next time, together with others."""
        if not group["suspended"] and group["partner"]:
            self._rounds.setdefault(group["name"], Rounds()).wait(lambda: self._round(group))

    def _round(self, group: dict[str, Any]) -> None:
        name, partner = group["name"], group["partner"]
        if not partner:
            return
        try:
            for letter, (known, now) in self._images(group).items():
                self._send(group, partner, letter, known, now)
            if not group["complete"]:
                group["complete"] = True
                self.save()
            self._reached[name] = True
            self._again_at[name] = 0.0
            group["last_in_sync"] = self.machine.now()
        except Unreachable:
            self._forget(group)  # whether it has the last change is not known
            self._reached[name] = False
            self._again_at[name] = self.machine.now() + RETRY_S

    def _images(self, group: dict[str, Any]) -> dict[str, tuple[Image, Image]]:
        """Of each volume what was sent last, and what is there at this moment."""
        found = {}
        with self.writers.quiet():
            for letter in group["volumes"]:
                known = self._sent.get(f"{group['name']}/{letter}", replica_data.NOTHING)
                root = self.machine.volumes.directory(self.machine.volumes.data["volumes"][letter])
                found[letter] = (known, replica_data.taken(root, known))
        return found

    def _forget(self, group: dict[str, Any]) -> None:
        for letter in group["volumes"]:
            self._sent.pop(f"{group['name']}/{letter}", None)

    def _send(self, group: dict[str, Any], partner: dict[str, str], letter: str, known: Image, now: Image) -> None:
        request = {
            "op": "copy",
            "group": partner["group"],
            "generation": group["generation"],
            "volume": group["volumes"].index(letter),
            "mode": group["mode"],
        }
        change = replica_data.difference(known, now)
        answer = ask(self.address(partner["computer"]), request | {"same": change is None}, change or b"")
        if answer.get("again"):  # it has something else than was believed
            everything = replica_data.difference(replica_data.NOTHING, now)
            answer = ask(self.address(partner["computer"]), request | {"same": False}, everything or b"")
        if answer.get("newer"):
            self._yield_to(group, answer["newer"])
        elif "refused" in answer:
            raise Unreachable(answer["refused"])
        else:
            key = f"{group['name']}/{letter}"
            self._sent[key] = Image(now.entries, known.token) if change is None else now

    def _look_for_newer(self, group: dict[str, Any]) -> None:
        try:
            answer = ask(self.address(group["partner"]["computer"]), {"op": "look", "group": group["partner"]["group"]})
        except Unreachable:
            return
        if answer.get("role") == "Primary" and answer["generation"] > group["generation"]:
            self._yield_to(group, answer["generation"])

    def _yield_to(self, group: dict[str, Any], generation: int) -> None:
        """The other side became the source while this one was away: what was written here since is lost at the next copy."""
        partner = group["partner"]
        if partner is None:
            return
        self.make_destination(group, partner["computer"], partner["group"], generation)

    def _place(self, group: dict[str, Any], letter: str) -> Path:
        return Path(self.machine.directory, "replica", group["id"], letter)

    def _show(self, group: dict[str, Any]) -> None:
        for letter in group["volumes"]:
            volume = self.machine.volumes.data["volumes"][letter]
            kept = Kept(self._place(group, letter))
            if kept.tree.exists():
                with self._answering:
                    replica_data.put_in_place(self.machine.volumes.directory(volume), kept.tree)
            self.machine.volumes.block(letter, None)
        group.pop("restoring", None)
        self.save()

    def _release(self, group: dict[str, Any]) -> None:
        for letter in group["volumes"]:
            if self.machine.volumes.data["volumes"][letter]["blocked"] == "replication":
                self.machine.volumes.block(letter, None)

    def mount(self, group: dict[str, Any], at: Path) -> None:
        """A writable look at the last consistent state; replication goes on below it."""
        for letter in group["volumes"]:
            root = at / letter if len(group["volumes"]) > 1 else at
            root.mkdir(parents=True, exist_ok=True)
            with self._answering:
                replica_data.put_in_place(root, Kept(self._place(group, letter)).tree)
        self._mounted[group["name"]] = str(at)

    def dismount(self, group: dict[str, Any]) -> None:
        """Throw the look away with what was written there."""
        at = self._mounted.pop(group["name"], None)
        if at is None:
            raise refused(f"The replication group {group['name']} has no mounted destination.", 1168, group["name"])
        replica_data.put_in_place(Path(at), Path("/nonexistent"))

    def is_mounted(self, group: dict[str, Any]) -> bool:
        """Whether a look at it is mounted."""
        return group["name"] in self._mounted

    def _answer(self, request: dict[str, Any], data: bytes) -> dict[str, Any]:
        from tests.lab.windows.machine.replica_answers import answer

        if request["op"] == "switch":  # asks the other side, which answers with a last copy
            return answer(self.machine, request, data)
        with self._answering:
            return answer(self.machine, request, data)

    def received(self, group: dict[str, Any], volume: int, change: bytes | None) -> bool:
        """Keep what the source sent; None: nothing has changed there. False when it is not a change of what is kept here."""
        if change is not None and not Kept(self._place(group, group["volumes"][volume])).take(change):
            return False
        group.update(heard_at=self.machine.now(), last_in_sync=self.machine.now())
        if volume == len(group["volumes"]) - 1 and not group["complete"]:
            group["complete"] = True
            self.save()
            self.machine.events.write(
                "Microsoft-Windows-StorageReplica/Admin",
                "Microsoft-Windows-StorageReplica",
                1215,
                "Information",
                f"Block copy completed for replica.\r\n\r\nReplicationGroupName: {group['name']}",
            )
        return True
