"""Verbs of a failover that no engine does: data promoted and turned, epochs given back, service names moved from here.

Invariant: an undo opens a side only when the other one is fenced and the newest epoch is the opened side's own.
"""

from __future__ import annotations

from orchestrator.model.outcomes import GiveUp, TryAgain, UndoRefused
from orchestrator.model.steps import Seen
from orchestrator.sdk.context import Ports
from orchestrator.sdk.verbs import Found, Given, deed, look
from orchestrator.sdk.verbs_data import link_of

# -- data


@look("receiver-promoted")
def receiver_promoted(ports: Ports, given: Given) -> Seen:
    """The receiving side's data lives on its own."""
    replica = ports.replication.replica(link_of(given))
    promoted = replica is not None and replica.promoted
    return Seen(done=promoted, says="promoted" if promoted else "receiving", found={"promoted": promoted})


@deed("promote-receiver")
def promote_receiver(ports: Ports, given: Given, _found: Found) -> None:
    """Promote it."""
    ports.replication.promote(link_of(given), given["epoch"])


@look("direction-is")
def direction_is(ports: Ports, given: Given) -> Seen:
    """The link's origin sends, and the other side receives."""
    link = link_of(given)
    status, replica = ports.replication.status(link), ports.replication.replica(link)
    turned = status is not None and replica is not None and not replica.promoted
    says = f"data {status.data_state}" if status and turned else "it goes the other way, or there is none"
    return Seen(done=turned, says=says)


@deed("turn-direction")
def turn_direction(ports: Ports, given: Given, _found: Found) -> None:
    """Turn it, when everything that was written has arrived."""
    ports.replication.reverse(link_of(given), given["epoch"])


@deed("turn-back")
def turn_back(ports: Ports, given: Given, found: Found) -> None:
    """The receiving side receives again, if it did before. What was written there meanwhile travels first."""
    if found.get("promoted"):
        return
    link = link_of(given)
    if "reverse" not in ports.replication.capabilities:
        reason = f"{link.replication_set} was promoted, and its way has no command that turns it back"
        raise UndoRefused(reason, "resume the run to its end")
    ports.replication.reverse(link, given["epoch"])


@look("data-there")
def data_there(ports: Ports, given: Given) -> Seen:
    """The directory of the data can be seen on its host."""
    (facts,) = ports.host(given["where"]).facts([given["path"]]).paths
    there = facts.exists and facts.kind == "directory"
    return Seen(done=there, says=f"{given['path']} is {facts.kind}")


@deed("await-data")
def await_data(ports: Ports, given: Given, _found: Found) -> None:
    """A volume that was promoted comes up in a moment."""
    if not data_there(ports, given).done:
        raise TryAgain(f"{given['path']} is not there yet", after_s=0.5)


# -- epochs


@deed("give-epoch-back")
def give_epoch_back(ports: Ports, given: Given, _found: Found) -> None:
    """The side that served before serves again: under its own epoch where no newer one was granted, else under one after that.

    ``where`` is the side that was to serve: it is fenced first, so that the grant sees it.
    """
    protection, held = given["protection"], ports.host(given["back"])
    grants = ports.epoch_grants
    newest = grants.granted(protection)
    if newest < given["epoch"]:
        grants.give_again(protection, given["epoch"])
        return
    view = ports.host(given["where"]).protection(protection)
    if view is not None and not view.fenced:
        ports.host(given["where"]).act(protection, "fence", {"reason": "undo of the failover"})
    own = held.protection(protection)
    if own is not None and own.epoch == newest and newest > given["epoch"]:
        return
    epoch = newest if newest > given["epoch"] else newest + 1
    grants.grant(protection, epoch, ports.host(given["where"]), forced=False, by="undo")
    held.act(protection, "set_epoch", {"epoch": epoch, "by": "undo"})


@deed("drop-epoch")
def drop_epoch(ports: Ports, given: Given, found: Found) -> None:
    """The side is fenced again; the epoch itself never goes back."""
    host = ports.host(given["where"])
    if found.get("epoch", 0) < given["epoch"] and host.protection(given["protection"]) is not None:
        host.act(given["protection"], "fence", {"reason": "undo"})


@deed("refuse-undo")
def refuse_undo(ports: Ports, given: Given, _found: Found) -> None:
    """For what comes after a forced failover's grant: the source may be somewhere, with older data."""
    reason = (
        f"{ports.host(given['where']).name} took over from a server that was lost, and clients may have written there"
    )
    raise UndoRefused(reason, "resume the run to its end; dtam failback brings the service and what was written back")


# -- service principal names


@look("spns-taken")
def spns_taken(ports: Ports, given: Given) -> Seen:
    """The target's account alone owns them."""
    done, says = ports.accounts.taken(given["protection"], given["document"])
    return Seen(done=done, says=says)


@deed("take-spns")
def take_spns(ports: Ports, given: Given, _found: Found) -> None:
    """Taken from the source's account, then given to the target's."""
    ports.accounts.take(given["protection"], given["document"])


@look("spns-given-back")
def spns_given_back(ports: Ports, given: Given) -> Seen:
    """Both accounts hold what they held before."""
    done, says = ports.accounts.given_back(given["protection"], given["document"])
    return Seen(done=done, says=says)


@deed("give-spns-back")
def give_spns_back(ports: Ports, given: Given, _found: Found) -> None:
    """Taken from the target's account, then given to the source's."""
    ports.accounts.give_back(given["protection"], given["document"])


# -- a host without engine


@look("hosts-answer")
def hosts_answer(ports: Ports, given: Given) -> Seen:
    """Every named side answers, as the computer that the plan was made for."""
    for where, expected in given["hosts"].items():
        actual = ports.host(where).facts().hostname
        if actual.lower() != expected.lower():
            raise GiveUp(f"the {where} is {actual}, not {expected} as in the plan", "plan again: dtam discover")
    return Seen(done=True, says="both hosts answer")
