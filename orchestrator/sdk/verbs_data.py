"""Verbs about data and names: pairing, capture, replication sets, links, DNS, and the clients' own view."""

from __future__ import annotations

import msgspec

from orchestrator.model.names import NameChanges
from orchestrator.model.outcomes import GiveUp, TryAgain
from orchestrator.model.ports import HealthProbe, Link, LinkStatus
from orchestrator.model.servers import Where
from orchestrator.model.steps import Seen
from orchestrator.sdk.context import Ports
from orchestrator.sdk.verbs import Found, Given, deed, look

# -- pairing and capture


@look("engines-paired")
def engines_paired(ports: Ports, _given: Given) -> Seen:
    """Both engines trust each other's keys."""
    paired = ports.replication.paired()
    return Seen(done=paired, says="paired" if paired else "not paired", found={"paired": paired})


@deed("pair-engines")
def pair_engines(ports: Ports, _given: Given, _found: Found) -> None:
    """Let them get to know each other."""
    ports.replication.pair()


@deed("unpair-engines")
def unpair_engines(ports: Ports, _given: Given, found: Found) -> None:
    """Forget each other, if they did not know each other before."""
    if found.get("paired") is False:
        ports.replication.unpair()


@look("captured-is")
def captured_is(ports: Ports, given: Given) -> Seen:
    """Changes below the path are captured, or not."""
    captured = ports.replication.captured(Where(given["where"]), given["path"])
    says = f"{given['path']} is {'' if captured else 'not '}captured"
    return Seen(done=captured == given["on"], says=says, found={"captured": captured})


@deed("set-capture")
def set_capture(ports: Ports, given: Given, _found: Found) -> None:
    """Capture from now on, or no more."""
    _set_capture(ports, given, on=given["on"])


@deed("put-capture-back")
def put_capture_back(ports: Ports, given: Given, found: Found) -> None:
    """As it was found."""
    _set_capture(ports, given, on=bool(found.get("captured")))


def _set_capture(ports: Ports, given: Given, *, on: bool) -> None:
    where, path = Where(given["where"]), given["path"]
    if on:
        ports.replication.capture(where, path, given.get("limits", {}))
    else:
        ports.replication.uncapture(where, path)


# -- replication sets


@look("replication-set-is")
def replication_set_is(ports: Ports, given: Given) -> Seen:
    """The set is there with these rules."""
    held = ports.replication.replication_set(Where(given["where"]), given["name"])
    wanted = {"root": given["root"], "rules": list(given["rules"])}
    same = held is not None and {"root": held["root"], "rules": [dict(rule) for rule in held["rules"]]} == wanted
    return Seen(done=same, says="as wanted" if same else "not as wanted", found={"set": dict(held) if held else None})


@deed("put-replication-set")
def put_replication_set(ports: Ports, given: Given, _found: Found) -> None:
    """Create or change it."""
    ports.replication.put_replication_set(Where(given["where"]), given["name"], given["root"], given["rules"])


@deed("put-replication-set-back")
def put_replication_set_back(ports: Ports, given: Given, found: Found) -> None:
    """As it was found: its earlier rules, or gone."""
    where, before = Where(given["where"]), found.get("set")
    if before is None:
        ports.replication.remove_replication_set(where, given["name"])
    else:
        ports.replication.put_replication_set(where, given["name"], before["root"], before["rules"])


@look("replication-set-absent")
def replication_set_absent(ports: Ports, given: Given) -> Seen:
    """There is no such set."""
    held = ports.replication.replication_set(Where(given["where"]), given["name"])
    return Seen(
        done=held is None, says="gone" if held is None else "there", found={"set": dict(held) if held else None}
    )


@deed("remove-replication-set")
def remove_replication_set(ports: Ports, given: Given, _found: Found) -> None:
    """Forget it."""
    ports.replication.remove_replication_set(Where(given["where"]), given["name"])


# -- links


def link_of(given: Given) -> Link:
    """The link that a step speaks of."""
    return msgspec.convert(given["link"], Link)


def _status(ports: Ports, given: Given) -> LinkStatus | None:
    return ports.replication.status(link_of(given))


@look("link-there")
def link_there(ports: Ports, given: Given) -> Seen:
    """The connection exists under this epoch or a newer one, and is carried on as the link says."""
    status, link = _status(ports, given), link_of(given)
    if status is None or status.epoch < link.epoch:
        says = "not connected" if status is None else f"{status.state} under epoch {status.epoch}"
        return Seen(done=False, says=says, found={"connected": status is not None})
    says = f"{status.state}, to be changed: {', '.join(sorted(status.differs))}" if status.differs else status.state
    return Seen(done=not status.differs, says=says, found={"connected": True, "differs": status.differs})


@look("link-absent")
def link_absent(ports: Ports, given: Given) -> Seen:
    """There is no such connection."""
    status = _status(ports, given)
    return Seen(done=status is None, says="not connected" if status is None else status.state)


@deed("connect")
def connect(ports: Ports, given: Given, _found: Found) -> None:
    """Connect, or change what is connected; one that was left under an older epoch is ended first."""
    status, link = _status(ports, given), link_of(given)
    if status is not None and status.epoch < link.epoch:
        ports.replication.disconnect(link)
    ports.replication.connect(link)


@deed("put-connection-back")
def put_connection_back(ports: Ports, given: Given, found: Found) -> None:
    """As it was found: with its earlier terms, or ended."""
    link, before = link_of(given), found.get("differs")
    if before:
        ports.replication.connect(msgspec.structs.replace(link, **before))
    elif before is None:
        ports.replication.disconnect(link)


@deed("disconnect")
def disconnect(ports: Ports, given: Given, _found: Found) -> None:
    """End the connection; the data stays."""
    ports.replication.disconnect(link_of(given))


@look("link-in-step")
def link_in_step(ports: Ports, given: Given) -> Seen:
    """The receiving side is a state that the sending side was in, and follows."""
    status = _status(ports, given)
    return Seen(done=status is not None and status.in_step, says=_progress(status), found=_evidence(status))


@deed("await-in-step")
def await_in_step(ports: Ports, given: Given, _found: Found) -> None:
    """Wait for it; a connection that is gone or broken will not come right by waiting."""
    status = _status(ports, given)
    if status is None:
        raise GiveUp("the connection is gone", "dtam status, then run the same command again")
    if not status.in_step:
        fraction = None if status.mirror_percent is None else status.mirror_percent / 100
        raise TryAgain(_progress(status), after_s=0.2, fraction=fraction)


def _progress(status: LinkStatus | None) -> str:
    if status is None:
        return "not connected"
    percent = "" if status.mirror_percent is None else f", mirror {status.mirror_percent:.0f} %"
    error = f", last error: {status.last_error}" if status.last_error else ""
    return f"data {status.data_state}{percent}, {status.queue_bytes} bytes waiting{error}"


def _evidence(status: LinkStatus | None) -> dict[str, object]:
    if status is None:
        return {}
    return {
        "sent_bytes": status.sent_bytes,
        "mirror_bytes": status.mirror_bytes,
        "files_compared": status.files_compared,
        "files_different": status.files_different,
        "set_aside": list(status.set_aside),
    }


@look("link-settled")
def link_settled(ports: Ports, given: Given) -> Seen:
    """All that was written is applied on the other side."""
    status = _status(ports, given)
    settled = status is not None and status.in_step and status.applied_sequence >= status.committed_sequence
    return Seen(done=settled, says=_progress(status), found=_evidence(status))


@deed("settle")
def settle(ports: Ports, given: Given, _found: Found) -> None:
    """Wait until it is."""
    ports.replication.settle(link_of(given))


@look("receiver-ready")
def receiver_ready(ports: Ports, given: Given) -> Seen:
    """The receiving side accepts what is sent: it is not promoted."""
    replica = ports.replication.replica(link_of(given))
    ready = replica is None or not replica.promoted
    return Seen(done=ready, says="ready to receive" if ready else "promoted", found={"promoted": not ready})


@deed("demote")
def demote(ports: Ports, given: Given, _found: Found) -> None:
    """It becomes a receiver again."""
    ports.replication.demote(link_of(given), given["epoch"], discard_changes=given["discard_changes"])


@deed("promote-back")
def promote_back(ports: Ports, given: Given, found: Found) -> None:
    """Its data lives on its own again, if it did before."""
    if found.get("promoted"):
        ports.replication.promote(link_of(given), given["epoch"])


# -- names


def changes_of(given: Given) -> NameChanges:
    """The DNS changes that a step speaks of."""
    return msgspec.convert(given["changes"], NameChanges)


@look("names-moved")
def names_moved(ports: Ports, given: Given) -> Seen:
    """Every listed server answers with what the changes lead to."""
    return Seen(done=ports.name_service.applied(changes_of(given)))


@deed("move-names")
def move_names(ports: Ports, given: Given, _found: Found) -> None:
    """Apply the changes."""
    ports.name_service.apply(changes_of(given))


@look("names-put-back")
def names_put_back(ports: Ports, given: Given) -> Seen:
    """Every listed server answers with what was there before the changes."""
    return Seen(done=ports.name_service.is_put_back(changes_of(given)))


@deed("put-names-back")
def put_names_back(ports: Ports, given: Given, _found: Found) -> None:
    """Undo the changes exactly."""
    ports.name_service.put_back(changes_of(given))


@look("ttl-set")
def ttl_set(ports: Ports, given: Given) -> Seen:
    """Every record has the TTL that the changes lead to."""
    return Seen(done=ports.name_service.has_ttl(changes_of(given)))


@deed("set-ttl")
def set_ttl(ports: Ports, given: Given, _found: Found) -> None:
    """Set the TTLs, and nothing else."""
    ports.name_service.set_ttl(changes_of(given))


# -- clients


def _probe(given: Given) -> HealthProbe:
    return msgspec.convert(given["probe"], HealthProbe)


@look("clients-served")
def clients_served(ports: Ports, given: Given) -> Seen:
    """The application answers through the name that clients use."""
    return Seen(done=True, says=ports.clients.ask(_probe(given)))


@deed("ask-as-client")
def ask_as_client(ports: Ports, given: Given, _found: Found) -> None:
    """Ask until it answers."""
    ports.clients.ask(_probe(given))
