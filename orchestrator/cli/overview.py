"""The status of a protection as one document and as lines: what is so, how far the data is, what stands open, what fits next.

The names of the fields are a contract with programs that read ``--json``; sentences may change, names may not.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.cli.screen import Screen, in_units
from orchestrator.engine.client import ConnectionStatus
from orchestrator.failover.condition import judge
from orchestrator.failover.guards import fitting
from orchestrator.failover.snapshot import Side, Snapshot
from orchestrator.model.conditions import Condition, Stage
from orchestrator.model.inventory import Inventory
from orchestrator.model.protections import Protection
from orchestrator.model.runs import Run
from orchestrator.pipeline import Pipeline

UNWATCHED = {Stage.CONFIGURED, Stage.DISABLED}


def gather(pipeline: Pipeline, protection: Protection, now_s: float | None = None) -> dict[str, Any]:
    """Look once at everything that concerns a protection."""
    protection, seen = pipeline.refreshed(protection)
    kept = pipeline.store.inventory(protection.id)
    age_s = kept.age_s(time.time() if now_s is None else now_s) if kept else None
    names = engine_names(kept) if kept else {}
    status: dict[str, Any] = with_names(
        document(protection, seen, age_s, pipeline.running.unfinished(protection.id)), names
    )
    return status


def engine_names(kept: Inventory) -> dict[str, str]:
    """Engine ids to server names: engines speak of each other by id, people do not."""
    return {side.engine.engine_id: side.name for side in (kept.source, kept.target) if side.engine is not None}


def with_names(value: Any, names: dict[str, str]) -> Any:
    """The same JSON value with every engine id in its sentences replaced by the server's name."""
    if isinstance(value, dict):
        return {key: with_names(one, names) for key, one in value.items()}
    if isinstance(value, list):
        return [with_names(one, names) for one in value]
    if isinstance(value, str):
        for engine_id, name in names.items():
            value = value.replace(engine_id, name)
    return value


def document(
    protection: Protection, seen: Snapshot, facts_age_s: float | None, unfinished: Sequence[Run]
) -> dict[str, Any]:
    """The status as JSON values."""
    condition, says, next_ = _judged(protection, seen)
    state = seen.target.state
    watch = state.monitor if state else None
    limit_s = protection.settings.advanced.facts_age_limit_s
    return {
        "protection": protection.id,
        "application": protection.application,
        "name": protection.settings.name,
        "stage": str(protection.stage),
        "epoch": protection.epoch,
        "condition": condition,
        "says": says,
        "next": next_,
        "source": _side(seen.source),
        "target": _side(seen.target),
        "connection": _connection(seen.connection),
        "restoring": _connection(seen.restoring),
        "monitor": {
            "enabled": bool(watch and watch.enabled),
            "colour": watch.colour if watch else "off",
            "time_to_fail_s": watch.time_to_fail_s if watch else None,
            "says": watch.says if watch else "",
        },
        "application_health": state.details.get("application") if state else None,
        "snapshots": _snapshots(seen),
        "last_error": _last_error(seen),
        "facts_age_s": facts_age_s,
        "facts_too_old": facts_age_s is not None and facts_age_s > limit_s,
        "unfinished_runs": [{"run": run.id, "kind": str(run.plan.kind), "says": run.says} for run in unfinished],
        "fitting": list(fitting(seen)),
    }


def _judged(protection: Protection, seen: Snapshot) -> tuple[str, str, str]:
    nowhere = all(side.answers and side.state is None for side in (seen.source, seen.target))
    if protection.stage in UNWATCHED and nowhere:
        says = f"{protection.settings.name} is not protected ({protection.stage})"
        return "unprotected", says, f"dtam enable --protection {protection.id}"
    judgement = judge(seen)
    return str(judgement.condition), judgement.says, judgement.next


def _side(side: Side) -> dict[str, Any]:
    state = side.state
    return {
        "server": side.server,
        "answers": side.answers,
        "silence": side.silence,
        "role": state.role if state else None,
        "epoch": state.epoch if state else None,
        "fenced": state.fence.held if state else None,
        "fence_reason": state.fence.reason if state else "",
        "phase": state.phase if state else None,
        "says": state.says if state else "",
        "services": [{"name": one.name, "state": one.state, "healthy": one.healthy} for one in side.services],
    }


def _connection(connection: ConnectionStatus | None) -> dict[str, Any] | None:
    if connection is None:
        return None
    return connection.model_dump(
        mode="json",
        include={
            "state", "transmit_state", "mirror_state", "replication_state", "target_data_state", "target_state",
            "mirror_bytes_sent", "mirror_bytes_total", "mirror_bytes_skipped", "mirror_percent",
            "mirror_files_compared", "mirror_files_different", "replication_bytes_sent", "replication_queue_bytes",
            "sent_bytes", "lag_s", "last_error", "since", "mode", "synchrony",
        },
    )  # fmt: skip


def _snapshots(seen: Snapshot) -> dict[str, Any]:
    """What stands beside the replica: ``kept`` while a mirror overwrites a good state, ``set_back_to`` until it follows again."""
    replica = seen.replica
    return {"kept": replica.kept if replica else "", "set_back_to": replica.set_back_to if replica else ""}


def _last_error(seen: Snapshot) -> str:
    replica = None if seen.replica and seen.replica.promoted else seen.replica  # live since a failover is no error
    words = [each.last_error for each in (seen.connection, seen.restoring, replica) if each is not None]
    return next((word for word in words if word), "")


@dataclass(frozen=True, slots=True)
class Shown:
    """How a status is shown: amounts in bytes, and with how both servers and the data stand."""

    in_bytes: bool = False
    details: bool = True


ALL = Shown()
IN_SHORT = {"protection", "condition", "monitor", "application", "last error", "unfinished", "next"}
"""What is shown of a status without its details."""


def lines(status: dict[str, Any], shown: Shown) -> list[tuple[str, str]]:
    """The status as (label, text) pairs for a person."""
    in_bytes = shown.in_bytes
    rows = [
        (
            "protection",
            f"{status['protection']} ({status['name']}), {status['stage'].replace('_', ' ')}, epoch {status['epoch']}",
        ),
        ("condition", f"{status['condition'].replace('_', ' ')}: {status['says']}"),
        *[_server(side, status[side]) for side in ("source", "target")],
        *_moving("", status["connection"], in_bytes=in_bytes),
        *_moving("restore ", status["restoring"], in_bytes=in_bytes),
        ("monitor", _monitor(status["monitor"])),
        ("application", (status.get("application_health") or {}).get("says", "")),
        ("gathered facts", _age(status)),
        ("snapshots", _kept(status["snapshots"])),
        ("last error", status["last_error"]),
        *[("unfinished", f"{run['kind']} {run['run']}: {run['says']}") for run in status["unfinished_runs"]],
        ("next", status["next"]),
    ]
    return [(label, text) for label, text in rows if text and (shown.details or label in IN_SHORT)]


def _kept(snapshots: dict[str, str]) -> str:
    if snapshots["set_back_to"]:
        return f"the target was set back to {snapshots['set_back_to']}, and follows its source after: dtam snapshots resume"
    return f"{snapshots['kept']} holds the last good state while a mirror overwrites it" if snapshots["kept"] else ""


def show(screen: Screen, status: dict[str, Any], shown: Shown = ALL) -> None:
    """Print it for a person."""
    mark = "passed" if status["condition"] == str(Condition.HEALTHY) else "warning"
    for label, text in lines(status, shown):
        screen.say(f"{label:>16}  {text}", mark if label == "condition" else "")


def _server(role: str, side: dict[str, Any]) -> tuple[str, str]:
    if not side["answers"]:
        return role, f"{side['server']}: silent ({side['silence']})"
    services = ", ".join(f"{one['name']} {one['state']}" for one in side["services"]) or "no service"
    fence = f", fenced: {side['fence_reason'].removeprefix('fenced: ') or 'yes'}" if side["fenced"] else ""
    return role, f"{side['server']}: {services}{fence}"


def _flushes(prefix: str, synchrony: dict[str, Any] | None) -> list[tuple[str, str]]:
    """A synchronous connection's line: whether an answered flush is at the target."""
    if synchrony is None:
        return []
    state = {
        "synchronous": "synchronous: an answered flush is at the target",
        "asynchronous": "BEHIND: asynchronous",
        "waiting": "STANDS STILL: a flush waits for the target",
    }[synchrony["state"]]
    waited = f"; {synchrony['flushes']} flushes waited {synchrony['mean_wait_ms']:.1f} ms on average"
    return [(f"{prefix}flushes", f"{state} since {synchrony['since']} ({synchrony['why']}){waited}")]


def _moving(prefix: str, connection: dict[str, Any] | None, *, in_bytes: bool) -> list[tuple[str, str]]:
    if connection is None:
        return []

    def amount(value: int | None) -> str:
        return "?" if value is None else f"{value} bytes" if in_bytes else in_units(value)

    percent = connection["mirror_percent"]
    mirror = f"{connection['mirror_state']}, {amount(connection['mirror_bytes_sent'])} sent"
    if connection["mirror_bytes_total"] is not None:
        mirror += f" of {amount(connection['mirror_bytes_total'])}"
    replication = (
        f"{connection['replication_state']}, {amount(connection['replication_bytes_sent'])} sent, "
        f"{amount(connection['replication_queue_bytes'])} queued, {connection['lag_s']:.1f} s behind"
    )
    return [
        (
            f"{prefix}connection",
            f"{connection['state']}{_ends(connection)}, target data {connection['target_data_state'].replace('_', ' ')}",
        ),
        *_flushes(prefix, connection.get("synchrony")),
        (f"{prefix}mirror", mirror + (f" ({percent:.0f} %)" if percent is not None else "")),
        (f"{prefix}replication", replication),
    ]


def _ends(connection: dict[str, Any]) -> str:
    """How the source sends and what the target does, where they say it."""
    transmit, target = connection.get("transmit_state"), connection.get("target_state")
    sends = f", transmission {transmit.lower()}" if transmit and transmit != connection["state"] else ""
    return f"{sends}, target {target.lower()}" if target else sends


def _monitor(watch: dict[str, Any]) -> str:
    if not watch["enabled"]:
        return "off"
    left, says = watch["time_to_fail_s"], watch["says"]
    countdown = f", {left:.1f} s to fail" if left is not None else ""
    return f"{watch['colour']}{countdown}{f': {says}' if says else ''}"


def _age(status: dict[str, Any]) -> str:
    age_s = status["facts_age_s"]
    if age_s is None:
        return "none yet: dtam discover"
    old = " — older than the limit: dtam discover" if status["facts_too_old"] else ""
    return f"{age_s / 3600:.1f} h old{old}" if age_s >= 3600 else f"{age_s:.0f} s old{old}"
