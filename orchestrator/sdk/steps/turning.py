"""Steps of a failover that no engine does: data promoted and turned, epochs, service names moved from here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from orchestrator.model.ports import Link
from orchestrator.model.servers import Where
from orchestrator.model.steps import Step
from orchestrator.sdk.steps.epochs import grant
from orchestrator.sdk.steps.making import NOTHING, act


def hosts_answer(hosts: Mapping[str, str], names: str) -> Step:
    """Both hosts are those that the plan was made for; ``hosts`` maps a side to its computer's name."""
    return Step(
        "hosts-answer",
        Where.ORCHESTRATOR,
        f"see that {names} answer",
        act("hosts-answer", hosts=dict(hosts)),
        NOTHING,
        NOTHING,
    )


def promote(link: Link, server: str, epoch: int, budget_s: float, *, suffix: str = "") -> Step:
    """The receiving side's data lives on its own, under ``epoch``. The undo turns it back with what was written meanwhile."""
    given = {"link": link, "epoch": epoch}
    return Step(
        f"promote{suffix}",
        link.origin.other,
        f"let the data of {link.replication_set} on {server} live on its own",
        act("receiver-promoted", **given),
        act("promote-receiver", **given),
        act("turn-back", **given),
        after=(f"{link.target_path} on {server} can be written",),
        downtime=True,
        budget_s=budget_s,
    )


def turn(link: Link, names: str, epoch: int, budget_s: float, *, suffix: str = "") -> Step:
    """The link's origin sends again: everything that was written on the other side has arrived before."""
    given = {"link": link, "epoch": epoch}
    return Step(
        f"turn{suffix}",
        link.origin,
        f"turn the replication of {link.replication_set}: {names}",
        act("direction-is", **given),
        act("turn-direction", **given),
        act("promote-receiver", **given),
        after=(f"{link.source_path} -> {link.target_path}",),
        downtime=True,
        budget_s=budget_s,
    )


def data_there(where: Where, server: str, path: str, *, suffix: str = "") -> Step:
    """A protected directory can be seen before anything is built on it."""
    given = {"where": where, "path": path}
    return Step(
        f"data-there-{where}{suffix}",
        where,
        f"see that {path} is there on {server}",
        act("data-there", **given),
        act("await-data", **given),
        NOTHING,
        downtime=True,
    )


def grant_from(
    where: Where, server: str, protection: str, epoch: int, *, forced: bool, by: str, budget_s: float
) -> Step:
    """The next epoch, while both sides answer: the undo gives ``server``, which had the one before, the one after."""
    step = grant(where, server, protection, epoch, forced=forced, by=by, budget_s=budget_s)
    back = act("give-epoch-back", where=where.other, back=where, protection=protection, epoch=epoch)
    return msgspec.structs.replace(step, undo=back)


def open_side(where: Where, server: str, protection: str, epoch: int, *, by: str, downtime: bool = True) -> Step:
    """A side holds a granted epoch and may serve; asked every time, because that is harmless. Undone by fencing it."""
    given = {"where": where, "protection": protection, "epoch": epoch, "by": by}
    return Step(
        f"epoch-{where}",
        where,
        f"let {server} serve under epoch {epoch}",
        act("never"),
        act("take-epoch", **given),
        act("drop-epoch", **given),
        after=(f"{server} holds epoch {epoch}",),
        downtime=downtime,
    )


def move_spns(protection: str, document: Mapping[str, Any]) -> Step:
    """The source's service principal names belong to the target's account, changed from here."""
    given = {"protection": protection, "document": dict(document)}
    lines = tuple(f"HOST and cifs of {one} with {document['target']}" for one in document["names"])
    return Step(
        "take-spns",
        Where.ORCHESTRATOR,
        f"move the service principal names from {document['source']} to {document['target']}",
        act("spns-taken", **given),
        act("take-spns", **given),
        act("give-spns-back", **given),
        after=lines,
        downtime=True,
    )


def return_spns(protection: str, document: Mapping[str, Any]) -> Step:
    """The source's service principal names belong to its own account again, changed from here."""
    given = {"protection": protection, "document": dict(document)}
    return Step(
        "give-spns-back",
        Where.ORCHESTRATOR,
        f"give the service principal names back from {document['target']} to {document['source']}",
        act("spns-given-back", **given),
        act("give-spns-back", **given),
        act("take-spns", **given),
        downtime=True,
    )


def no_way_back(step: Step, where: Where) -> Step:
    """The same step, whose undo refuses as a whole: the run can only be resumed."""
    return msgspec.structs.replace(step, undo=act("refuse-undo", where=where))
