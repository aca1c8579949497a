"""The snapshot of a pair whose target has no engine: both hosts by the ``Host`` port, data by ``Replication``, the rest from what `dtam serve` keeps.

The same values as of engines, so that conditions, guards and screens need not know the difference.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from orchestrator.engine.client import ConnectionStatus, ProtectionState, ReplicaStatus, ServiceStatus
from orchestrator.errors import DtamError
from orchestrator.failover import kept
from orchestrator.failover.kept import Kept
from orchestrator.failover.snapshot import Side, Snapshot
from orchestrator.model.conditions import Stage
from orchestrator.model.host import ProtectionView
from orchestrator.model.inventory import ReplicaFacts
from orchestrator.model.outcomes import TryAgain
from orchestrator.model.ports import Link, LinkStatus
from orchestrator.model.protections import Protection
from orchestrator.model.servers import Where
from orchestrator.sdk.context import Ports

STATES = {"running", "stopped", "failed"}
CONNECTION_STATES = {"Started", "Stopped", "Paused", "Scheduled", "Error"}
DATA_STATES = {"good", "mirroring", "mirror_required", "restore_required", "not_ready"}


def take(protection: Protection, ports: Ports, home: Path) -> Snapshot:
    """Ask both hosts at the same time; silence is a fact with a reason."""
    watch = kept.shown(home, protection.id)
    busy = kept.is_locked(home / "locks" / protection.id)
    with ThreadPoolExecutor(2) as pool:
        source, target = pool.map(
            lambda where: _side(protection, ports, where, watch, busy=busy), (Where.SOURCE, Where.TARGET)
        )
    return Snapshot(protection.id, source, target)


def links(protection: Protection) -> Iterable[Link]:
    """The protecting links by what finds them: protection, set, origin and purpose."""
    settings = protection.settings
    for position, root in enumerate(settings.connection.roots):
        yield Link(
            protection=protection.id,
            replication_set=settings.set_name(position),
            origin=Where.SOURCE,
            source_path=root.on(Where.SOURCE),
            target_path=root.on(Where.TARGET),
        )


def _side(protection: Protection, ports: Ports, where: Where, watch: Kept, *, busy: bool) -> Side:
    server = protection.pair.on(where).name
    try:
        host = ports.host(where)
        view = host.protection(protection.id)
        if view is None:
            return Side(server)
        state = ProtectionState.model_validate(_state(protection, view, where, watch, busy=busy))
        services = tuple(_services(protection, ports, where))
        return Side(server, state=state, services=services, **_data(protection, ports, where))
    except (DtamError, TryAgain) as error:
        return Side(server, silence=str(error), state=_unheard(protection, watch) if where is Where.TARGET else None)


def _unheard(protection: Protection, watch: Kept) -> ProtectionState:
    """Of a target that is silent: the watch and the wait for a person are the executor's, which is elsewhere."""
    asks = bool(watch.waiting and not watch.approved)
    return ProtectionState.model_validate(
        {
            "id": protection.id,
            "role": "target",
            "epoch": protection.epoch,
            "phase": "detected" if asks else "idle",
            "says": watch.says,
            "fence": {"held": False, "reason": ""},
            "monitor": _monitor(protection, watch),
            "waiting_for_person": asks,
        }
    )


def _monitor(protection: Protection, watch: Kept) -> dict[str, Any]:
    watches = protection.stage not in {Stage.CONFIGURED, Stage.DISABLED}
    if not (watches and watch.enabled(protection.settings.is_watched)):
        return {"enabled": False, "colour": "off"}
    told = {"enabled": True, "colour": watch.colour, "missed": watch.missed, "allowed": watch.allowed}
    return told | {"time_to_fail_s": watch.time_to_fail_s, "says": watch.says}


def _services(protection: Protection, ports: Ports, where: Where) -> Iterable[ServiceStatus]:
    """The protected services; one that runs on both sides in peace (as the Server service does) is shown where the epoch is."""
    over = protection.stage in {Stage.FAILED_OVER, Stage.RESTORED}
    serves = where is (Where.TARGET if over else Where.SOURCE)
    shown = [one for one in protection.settings.failover.services if serves or one.must_be_stopped_on_target]
    names = {one.name for one in shown}
    for service in ports.host(where).services([one.document(where) for one in shown]):
        if service.name in names:
            state = service.state if service.state in STATES else "stopped"
            given = {"name": service.name, "protection": protection.id, "backend": "unit", "state": state}
            yield ServiceStatus.model_validate(given | {"healthy": service.healthy})


def _state(protection: Protection, view: ProtectionView, where: Where, watch: Kept, *, busy: bool) -> dict[str, Any]:
    monitor = _monitor(protection, watch) if where is Where.TARGET else {"enabled": False, "colour": "off"}
    return {
        "id": protection.id,
        "role": where.value,
        "epoch": view.epoch,
        "phase": _phase(protection, watch, busy=busy) if where is Where.TARGET else "idle",
        "says": (watch.says if where is Where.TARGET else "") or view.says,
        "fence": {"held": view.fenced, "reason": view.says if view.fenced else ""},
        "monitor": monitor,
        "lease_remaining_s": view.lease_remaining_s,
        "detected_ns": int(watch.detected_s * 1e9) if watch.detected_s and where is Where.TARGET else None,
        "waiting_for_person": bool(watch.waiting and not watch.approved) and where is Where.TARGET and not busy,
        "details": {"application": watch.application} if watch.application and where is Where.TARGET else {},
    }


def _phase(protection: Protection, watch: Kept, *, busy: bool) -> str:
    if protection.stage in {Stage.FAILED_OVER, Stage.RESTORED}:
        return "done"
    if busy:
        return "running_script"
    return "detected" if watch.waiting and not watch.approved else "idle"


def _data(protection: Protection, ports: Ports, where: Where) -> dict[str, Any]:
    """Connections as the source's side tells them, replicas as the target's: one that nobody can tell of is not ready, and says why."""
    found: list[Any] = []
    for link in links(protection):
        try:
            told = _connection(ports, protection, link) if where is Where.SOURCE else _replica(ports, protection, link)
        except (DtamError, TryAgain) as error:
            facts = ReplicaFacts(protection.pair.source.name, link.replication_set, link.target_path, "not_ready")
            told = None if where is Where.SOURCE else _replica_status(protection, facts, str(error))
        if told is not None:
            found.append(told)
    return {"connections" if where is Where.SOURCE else "replicas": tuple(found)}


def _connection(ports: Ports, protection: Protection, link: Link) -> ConnectionStatus | None:
    status = ports.replication.status(link)
    if status is None:
        return None
    target = protection.pair.target
    return ConnectionStatus.model_validate(
        {
            "id": 1,
            "key": link.replication_set,
            "replication_set": link.replication_set,
            "target": target.name,
            "target_address": target.address,
            "purpose": "protect",
            "protection": protection.id,
            "epoch": status.epoch,
            "state": status.state if status.state in CONNECTION_STATES else "Started",
            "transmit_state": status.state,
            "mirror_state": _mirror_state(status),
            "replication_state": "Replicating" if status.in_step else "Stopped",
            "target_data_state": status.data_state,
            "target_state": "Online",
            "mirror_percent": status.mirror_percent,
            "mirror_bytes_sent": status.mirror_bytes,
            "replication_queue_bytes": status.queue_bytes,
            "lag_s": status.lag_s,
            "last_error": status.last_error,
        }
    )


def _mirror_state(status: LinkStatus) -> str:
    return "Mirroring" if status.data_state == "mirroring" else "Idle"


def _replica(ports: Ports, protection: Protection, link: Link) -> ReplicaStatus | None:
    facts = ports.replication.replica(link)
    return None if facts is None else _replica_status(protection, facts)


def _replica_status(protection: Protection, facts: ReplicaFacts, last_error: str = "") -> ReplicaStatus:
    return ReplicaStatus.model_validate(
        {
            "key": facts.replication_set,
            "source": protection.pair.source.name,
            "replication_set": facts.replication_set,
            "target_root": facts.target_root,
            "protection": protection.id,
            "data_state": facts.data_state if facts.data_state in DATA_STATES else "not_ready",
            "promoted": facts.promoted,
            "last_error": last_error,
        }
    )
