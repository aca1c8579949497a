"""Steps about who the source is to its clients: addresses, names, shares and service principal names, as segments of a target's script.

The target does them by itself, from documents that lie in its script (``dtam step``; docs/explanation/identity.md). In a plan each looks
into the run of that script on its host, so that a failover that the target made alone is followed, and one that it did not make is
done there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.model.servers import Where
from orchestrator.model.steps import ScriptCall, Step
from orchestrator.sdk.steps.making import act


@dataclass(frozen=True, slots=True)
class AtTarget:
    """Where the steps run: the target's ``server`` name, its ``protection``, the ``script`` and the ``epoch`` that it runs under."""

    server: str
    protection: str
    script: str
    epoch: int
    source: str


def take_addresses(at: AtTarget, document: Mapping[str, Any]) -> Step:
    """The source's addresses are on the target's network interfaces."""
    lines = tuple(f"{one['address']} on {at.server} {one['interface']}" for one in document["addresses"])
    sentence = f"take the addresses of {at.source} over on {at.server}"
    return _step(at, "take-addresses", sentence, "take_addresses", document, after=lines)


def take_names(at: AtTarget, document: Mapping[str, Any]) -> Step:
    """The target's file service answers under the source's names."""
    lines = tuple(f"{at.server} answers as {one}" for one in (*document.get("netbios", ()), *document.get("dns", ())))
    return _step(
        at, "take-names", f"let {at.server} answer under the names of {at.source}", "take_names", document, after=lines
    )


def take_spns(at: AtTarget, document: Mapping[str, Any]) -> Step:
    """The source's service principal names belong to the target's account."""
    sentence = f"move the service principal names from {document['source']} to {document['target']}"
    names = tuple(document.get("spns", ()))
    after = tuple(f"{one} with {document['target']}" for one in names)
    return _step(at, "take-spns", sentence, "take_spns", document, after=after)


def put_shares(at: AtTarget, document: Mapping[str, Any]) -> Step:
    """The source's shares are on the target."""
    lines = tuple(f"share {one['name']} on {at.server}: {one['path']}" for one in document["shares"])
    return _step(at, "put-shares", f"put the shares of {at.source} on {at.server}", "put_shares", document, after=lines)


def keep_shares(at: AtTarget, document: Mapping[str, Any]) -> Step:
    """The source's shares wait on the target, closed to everybody, with their permissions."""
    lines = tuple(f"share {one['name']} on {at.server}, closed: {one['path']}" for one in document["shares"])
    sentence = f"keep the shares of {at.source} ready on {at.server}"
    return _step(at, "keep-shares", sentence, "keep_shares", document, after=lines, downtime=False)


def drop_shares(at: AtTarget, document: Mapping[str, Any]) -> Step:
    """No share waits on the target any more; those that are open stay."""
    sentence = f"take the waiting shares of {at.source} away from {at.server}"
    return _step(at, "drop-shares", sentence, "drop_shares", document, downtime=False)


def stay_here(at: AtTarget) -> Step:
    """What was taken is the target's for good: the source's records are unlocked, and no undo waits for a failback."""
    sentence = f"leave with {at.server} for good what was taken from {at.source}"
    return _step(at, "stay-here", sentence, "stay_here", {}, downtime=False)


def give_addresses_back(at: AtTarget, document: Mapping[str, Any]) -> Step:
    """The target has its own addresses only."""
    sentence = f"give the addresses of {at.source} back: remove them from {at.server}"
    return _step(at, "give-addresses-back", sentence, "give_addresses_back", document)


def give_names_back(at: AtTarget, document: Mapping[str, Any]) -> Step:
    """The target's file service answers under its own names only."""
    sentence = f"let {at.server} answer under its own names only"
    return _step(at, "give-names-back", sentence, "give_names_back", document)


def give_spns_back(at: AtTarget, document: Mapping[str, Any]) -> Step:
    """The source's service principal names belong to its own account."""
    sentence = f"give the service principal names back from {document['target']} to {document['source']}"
    return _step(at, "give-spns-back", sentence, "give_spns_back", document)


def take_shares_away(at: AtTarget, document: Mapping[str, Any]) -> Step:
    """The target has its own shares only."""
    sentence = f"take the shares of {at.source} away from {at.server}"
    return _step(at, "take-shares-away", sentence, "take_shares_away", document)


def _step(
    at: AtTarget,
    step_id: str,
    sentence: str,
    template: str,
    document: Mapping[str, Any],
    *,
    after: tuple[str, ...] = (),
    downtime: bool = True,
) -> Step:
    call = ScriptCall(at.script, f"common/{template}", {"document": dict(document)})
    return segment(at, step_id, sentence, call, after=after, downtime=downtime)


def segment(
    at: AtTarget,
    step_id: str,
    sentence: str,
    call: ScriptCall,
    *,
    after: tuple[str, ...] = (),
    downtime: bool = True,
    budget_s: float | None = None,
) -> Step:
    """A segment of the target's script that is looked at in the run of that script alone."""
    given = {
        "where": Where.TARGET,
        "protection": at.protection,
        "script": at.script,
        "segments": [step_id],
        "run_id": "{run}",
        "epoch": at.epoch,
    }
    return Step(
        step_id,
        Where.TARGET,
        sentence,
        act("script-ran", **given),
        act("run-script", **given),
        act("undo-script", **given),
        after=after,
        script=call,
        downtime=downtime,
        budget_s=budget_s,
    )
