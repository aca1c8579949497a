"""Replication by Windows Storage Replica: the ``Replication`` port over named scripts on both hosts.

A protection has one partnership of two groups, one group of volumes on each server; the groups are named after the protection's
replication set and the side. Storage Replica knows no epochs and fences nobody: who may serve is said by our own documents, leases and
start types (docs/explanation/replication-ways.md). What stands here is only what the product does.

- The destination's volumes are dismounted; they come up there when the direction is turned (``Set-SRPartnership -NewSourceComputerName``).
- How much is left to send is known to the destination alone; the source always says 0.
- With the source gone the turn is forced; if that is refused, too, the destination leaves the partnership
  (``Remove-SRPartnership -IgnoreRemovalFailure``), and its volumes live on their own.

Sources: the server-to-server page and the FAQ of Storage Replica, the pages of its cmdlets, MSFT_WvrReplica.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from orchestrator.errors import DtamError
from orchestrator.model.capabilities import STORAGE_REPLICA
from orchestrator.model.inventory import ReplicaFacts
from orchestrator.model.outcomes import GiveUp, TryAgain
from orchestrator.model.ports import Link, LinkStatus
from orchestrator.model.servers import Where
from orchestrator.model.settings import ConnectionTab
from orchestrator.model.settings_replication import ReplicatedVolume, StorageReplicaSettings
from orchestrator.replication.errors import ReplicationBroken
from orchestrator.replication.foreign import ForeignReplication
from orchestrator.replication.storage_replica_state import GroupState, data_state, read, state_word

WAY = "Storage Replica"
AGAIN_S = 2.0
SETTLED = "good"


class Scripted(Protocol):
    """A host that runs scripts which lie there under a name."""

    @property
    def name(self) -> str:
        """The server's short name."""
        ...

    def call(self, script: str, arguments: Mapping[str, Any], *, deed: bool = True) -> tuple[Mapping[str, Any], ...]:
        """What the script says, one value a line; a question is no ``deed``. Silence is TryAgain, a refusal of the script's a DtamError."""
        ...


class StorageReplica(ForeignReplication):
    """The ``Replication`` port over two Windows hosts. ``tab`` are the settings of the connection."""

    way = WAY

    def __init__(self, hosts: Mapping[Where, Scripted], tab: ConnectionTab) -> None:
        if tab.storage_replica is None:
            msg = "Storage Replica needs its options"
            raise ValueError(msg)
        self._hosts = hosts
        self._tab = tab
        self._options: StorageReplicaSettings = tab.storage_replica

    @property
    def capabilities(self) -> frozenset[str]:
        """What the product can do."""
        return STORAGE_REPLICA

    # -- links

    def connect(self, link: Link) -> None:
        """A partnership from the link's origin to the other side, made where there is none; one that points the other way is not turned.

        What is left on a side of an earlier partnership that the other one has no part in goes first: after a forced failover the old
        source still believes in it.
        """
        ours, theirs = self._state(link, link.origin), self._state(link, link.origin.other)
        if ours.sends and theirs.receives:
            return
        if ours.receives and theirs.sends:
            raise GiveUp(
                f"the volumes of {link.replication_set} are replicated the other way, from {self._name(link.origin.other)}",
                "dtam failback or dtam failover turns the direction",
            )
        for where, state in ((link.origin, ours), (link.origin.other, theirs)):
            if state.group:
                self._call(where, "storage_replica_remove", self._names(link, where) | {"alone": True})
        self._call(link.origin, "storage_replica_connect", self._wanted(link))

    def status(self, link: Link) -> LinkStatus | None:
        """How it stands, as the receiving side says, which alone knows how much is left; None when there is no such partnership."""
        sender = self._state(link, link.origin)
        if not sender.sends:
            return self._left_over(link, sender)
        try:
            receiver = self._state(link, link.origin.other)
        except TryAgain as silence:
            return LinkStatus("Error", "mirror_required", last_error=silence.reason)
        if not receiver.receives:
            says = f"{self._name(link.origin.other)} has no part in the partnership of {link.replication_set}"
            return LinkStatus("Error", "restore_required" if receiver.sends else "mirror_required", last_error=says)
        return LinkStatus(
            state=state_word(sender, receiver),
            data_state=data_state(receiver),
            mirror_percent=receiver.percent,
            queue_bytes=receiver.bytes_remaining,
            lag_s=receiver.age_s or 0.0,
            epoch=link.epoch,
            age_s=receiver.age_s,
        )

    def _left_over(self, link: Link, sender: GroupState) -> LinkStatus | None:
        """A group of the receiving side whose partnership is gone belongs to no epoch; it is what an end that was cut off leaves."""
        if sender.group or self._silent_or(link, link.origin.other).group == "":
            return None
        says = f"{self._name(link.origin.other)} has a group of {link.replication_set} and no partnership"
        return LinkStatus("Error", "mirror_required", epoch=-1, last_error=says)

    def _silent_or(self, link: Link, where: Where) -> GroupState:
        try:
            return self._state(link, where)
        except TryAgain:
            return GroupState()

    def disconnect(self, link: Link) -> None:
        """The partnership and both groups go; each side keeps its data. A side that is silent keeps its part, which ``connect`` clears."""
        for where in (link.origin, link.origin.other):
            try:
                state = self._state(link, where)
                if state.group:
                    alone = where is link.origin.other and not state.sends
                    self._call(where, "storage_replica_remove", self._names(link, where) | {"alone": alone})
            except TryAgain:
                if where is link.origin:
                    raise

    def settle(self, link: Link) -> None:
        """Everything written is on the other side; TryAgain until it is."""
        status = self.status(link)
        if status is None:
            raise GiveUp("the partnership is gone", "dtam status, then run the same command again")
        if status.state == "Paused":
            raise ReplicationBroken(
                "the partnership is suspended", "resume it: dtam resume, or Sync-SRGroup on the source"
            )
        if not status.in_step or status.queue_bytes:
            reason = f"data {status.data_state}, {status.queue_bytes} bytes waiting"
            raise TryAgain(status.last_error or reason, after_s=AGAIN_S, fraction=_fraction(status))

    def replica(self, link: Link) -> ReplicaFacts | None:
        """The receiving side's own view; it is promoted when it sends itself, or left the partnership with its volumes up."""
        state = self._state(link, link.origin.other)
        if not state.group and not state.left:
            return None
        return ReplicaFacts(
            source=self._name(link.origin),
            replication_set=link.replication_set,
            target_root=link.target_path,
            data_state=data_state(state) if state.group else "good",
            protection=link.protection,
            promoted=state.sends or not state.group,
        )

    def promote(self, link: Link, epoch: int) -> None:  # noqa: ARG002
        """The receiving side's volumes come up there: by a turn, else a forced turn, else by leaving the partnership. Safe to repeat."""
        where = link.origin.other
        state = self._state(link, where)
        if state.sends or (state.left and not state.group):
            return
        if not state.group:
            raise GiveUp(
                f"{self._name(where)} has no replica of {link.replication_set}",
                "dtam enable makes the partnership; look with Get-SRPartnership",
            )
        _refuse_half_copy(state, self._name(where))
        self._up(link, where)

    def _up(self, link: Link, where: Where) -> None:
        refusals: list[str] = []
        turn = self._turned(link, where)
        for script, arguments in (
            ("storage_replica_reverse", turn | {"force": False}),
            ("storage_replica_reverse", turn | {"force": True}),
            ("storage_replica_remove", self._names(link, where) | {"alone": True, "left": True}),
        ):
            try:
                self._call(where, script, arguments)
            except DtamError as error:
                refusals.append(str(error))
            else:
                return
        raise ReplicationBroken(
            f"{self._name(where)} cannot bring its volumes up: {'; '.join(refusals)}",
            "look there with Get-SRGroup and Get-SRPartnership; docs/explanation/replication-ways.md says what else there is",
        )

    def demote(self, link: Link, epoch: int, *, discard_changes: bool) -> None:
        """The receiving side receives again: the direction is turned back to the link's. Without ``discard_changes`` nothing is forced."""
        if self._state(link, link.origin.other).receives:
            return
        if not discard_changes:
            raise GiveUp(
                "its volumes were written to", "turning the direction overwrites them: say that they may be discarded"
            )
        self.reverse(link, epoch)

    def reverse(self, link: Link, epoch: int) -> None:  # noqa: ARG002
        """The link's origin becomes the source; refused by the product, and here, while the first copy is under way."""
        state = self._state(link, link.origin)
        if state.sends:
            return
        if not state.receives:
            self.connect(link)
            return
        if data_state(state) != SETTLED or state.bytes_remaining:
            says = f"data {data_state(state)}, {state.bytes_remaining} bytes waiting"
            raise TryAgain(f"the direction cannot be turned yet: {says}", after_s=AGAIN_S)
        self._call(link.origin, "storage_replica_reverse", self._turned(link, link.origin) | {"force": False})

    def pause(self, link: Link) -> None:
        """The group is suspended."""
        self._call(link.origin, "storage_replica_suspend", {"group": self._group(link, link.origin)})

    def resume(self, link: Link) -> None:
        """It is in step again, by what was written meanwhile."""
        self._call(link.origin, "storage_replica_resume", {"group": self._group(link, link.origin)})

    # -- how

    def _name(self, where: Where) -> str:
        return self._hosts[where].name

    def _call(self, where: Where, script: str, arguments: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
        return self._hosts[where].call(script, arguments)

    def _group(self, link: Link, where: Where) -> str:
        return f"{self._options.group or link.replication_set}-{where}"

    def _state(self, link: Link, where: Where) -> GroupState:
        asked = {"group": self._group(link, where), "volumes": [one.on(where) for one in self._volumes(link)]}
        return read(self._hosts[where].call("storage_replica_state", asked, deed=False), self._name(where))

    def _names(self, link: Link, where: Where) -> dict[str, Any]:
        """The partnership as one side would end it, with itself as source."""
        return {
            "group": self._group(link, where),
            "partner": self._name(where.other),
            "partner_group": self._group(link, where.other),
        }

    def _turned(self, link: Link, where: Where) -> dict[str, Any]:
        return self._names(link, where) | {"computer": self._name(where)}

    def _volumes(self, link: Link) -> tuple[_Volume, ...]:
        drives = {root.source_path[:2]: root.on_target[:2] for root in self._tab.roots}
        known = tuple(ReplicatedVolume(source=one, target=other) for one, other in drives.items())
        given = (
            self._options.volumes
            or known
            or (ReplicatedVolume(source=drive(link, Where.SOURCE), target=drive(link, Where.TARGET)),)
        )
        return tuple(_Volume(one) for one in given)

    def _wanted(self, link: Link) -> dict[str, Any]:
        volumes, options, other = self._volumes(link), self._options, link.origin.other
        logs = {Where.SOURCE: options.source_log_volume, Where.TARGET: options.log_on_target}
        return self._turned(link, link.origin) | {
            "volumes": [one.on(link.origin) for one in volumes],
            "log_volume": logs[link.origin],
            "partner_volumes": [one.on(other) for one in volumes],
            "partner_log_volume": logs[other],
            "log_size_bytes": options.log_size_bytes,
            "mode": "Synchronous" if self._tab.mode == "synchronous" else "Asynchronous",
            "recovery_point_s": options.recovery_point_s,
            "seeded": options.seeded or link.purpose == "restore",
            "consistency": options.consistency,
            "encryption": options.encryption,
            "compression": self._tab.compression not in {None, "off"},
        }


class _Volume:
    """A replicated volume on either side."""

    def __init__(self, volume: ReplicatedVolume) -> None:
        self._sides = {Where.SOURCE: volume.source, Where.TARGET: volume.on_target}

    def on(self, where: Where) -> str:
        """The volume of one side."""
        return self._sides[where]


def drive(link: Link, where: Where) -> str:
    """The drive that a link's directory lies on, on one side."""
    path = link.source_path if where is link.origin else link.target_path
    return path[:2]


def _fraction(status: LinkStatus) -> float | None:
    return None if status.mirror_percent is None else status.mirror_percent / 100


def _refuse_half_copy(state: GroupState, name: str) -> None:
    """Windows refuses it, too; a half copied volume is no file system."""
    if data_state(state) in {"mirroring", "not_ready"}:
        raise ReplicationBroken(
            f"the first copy to {name} was not complete: {state.bytes_remaining} bytes are missing",
            "there is nothing to fail over to; bring the source back",
        )
