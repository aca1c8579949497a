"""A connection as the control API shows it."""

from __future__ import annotations

import datetime as dt
from dataclasses import fields
from typing import TYPE_CHECKING, Protocol

from orchestrator.engine.capture.synchronous import SynchronousState
from orchestrator.engine.control import schema
from orchestrator.engine.control.answers_connections import ConnectionStatus, Synchrony
from orchestrator.engine.control.edges import LinkNow
from orchestrator.engine.control.lines import Lines
from orchestrator.engine.control.peers import Peers
from orchestrator.engine.transfer.null_target import NOBODY

if TYPE_CHECKING:
    from orchestrator.engine.control.connections import ConnectionRecord


AS_THE_LINK_SAYS = ({each.name for each in fields(LinkNow)} & ConnectionStatus.model_fields.keys()) - {"synchrony"}
"""The fields of an answer that are the link's own words and figures."""


class Shown(Protocol):
    """What is told of a connection beside its link."""

    number: int
    record: ConnectionRecord
    problem: str


def as_synchrony(request: schema.ConnectionRequest, now: SynchronousState | None) -> Synchrony | None:
    """How a synchronous connection stands, as the control API shows it."""
    if now is None:
        return None
    return Synchrony(
        state=now.state,
        since=dt.datetime.fromtimestamp(now.since_ns / 1e9, dt.UTC).isoformat(),
        why=now.why,
        wait_s=request.synchronous_wait_s,
        when_late=request.when_late,
        flushes=now.flushes,
        mean_wait_ms=now.waited_ns / now.flushes / 1e6 if now.flushes else 0.0,
        waiting=now.waiting,
    )


def as_answer(held: Shown, now: LinkNow | None, peers: Peers, lines: Lines) -> ConnectionStatus:
    """A connection as the control API shows it."""
    record, request = held.record, held.record.request
    known = peers.find(request.target)
    address = request.route.address if request.route else (known.address if known else "")
    address = NOBODY.name if request.simulate else address
    line = lines.get(address or NOBODY.name)
    now = now or LinkNow(state="Error", last_error=held.problem)
    since = dt.datetime.fromtimestamp(now.since_ns / 1e9, dt.UTC).isoformat() if now.since_ns else ""
    return ConnectionStatus(
        id=held.number,
        key=record.key,
        replication_set=request.replication_set,
        target=request.target,
        target_address=address,
        purpose=request.purpose,
        protection=request.protection,
        epoch=request.epoch,
        commit_mode="Scheduled" if now.transmit_state == "Scheduled" else "Real-time",
        compression=line.compression,
        bandwidth_bytes_s=line.bandwidth.rate_bytes_s if line.bandwidth else None,
        simulated=request.simulate,
        since=since,
        terms=request.terms.model_copy(update={"compression": line.compression, "bandwidth": line.bandwidth}),
        mode=request.mode,
        synchrony=as_synchrony(request, now.synchrony),
        **{name: getattr(now, name) for name in AS_THE_LINK_SAYS},
    )
