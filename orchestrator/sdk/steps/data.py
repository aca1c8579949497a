"""Steps about data: pairing, capture, replication sets, connections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.model.ports import Link
from orchestrator.model.servers import Where
from orchestrator.model.steps import Step
from orchestrator.sdk.steps.making import NOTHING, act


def pair_engines(names: str) -> Step:
    """Both engines trust each other's keys."""
    return Step(
        "pair-engines",
        Where.ORCHESTRATOR,
        f"let the engines on {names} know each other by key",
        act("engines-paired"),
        act("pair-engines"),
        act("unpair-engines"),
        after=("each engine trusts the other's certificate",),
    )


def capture(
    where: Where,
    server: str,
    path: str,
    limits: Mapping[str, Any],
    *,
    on: bool = True,
    suffix: str = "",
    downtime: bool = False,
) -> Step:
    """Changes below a path are captured, or no more."""
    given = {"where": where, "path": path, "on": on, "limits": dict(limits)}
    sentence = f"capture changes below {path} on {server}" if on else f"end the capture over {path} on {server}"
    return Step(
        f"{'capture' if on else 'uncapture'}-{where}{suffix}",
        where,
        sentence,
        act("captured-is", **given),
        act("set-capture", **given),
        act("put-capture-back", **given),
        after=(f"{path} {'is' if on else 'is not'} captured",),
        downtime=downtime,
    )


def replication_set(where: Where, server: str, name: str, root: str, rules: Sequence[Mapping[str, Any]]) -> Step:
    """The set names what belongs together."""
    given = {"where": where, "name": name, "root": root, "rules": [dict(rule) for rule in rules]}
    return Step(
        f"set-{name.replace('_', '-')}-{where}",
        where,
        f"define the replication set {name} on {server}: {root}",
        act("replication-set-is", **given),
        act("put-replication-set", **given),
        act("put-replication-set-back", **given),
        after=tuple(_rule_line(root, rule) for rule in rules),
    )


def _rule_line(root: str, rule: Mapping[str, Any]) -> str:
    path = "/".join(part for part in (root.rstrip("/"), rule.get("path", "")) if part) or "/"
    kind = "include" if rule.get("include", True) else "exclude"
    return f"{kind} {path}{' and below' if rule.get('recursive', True) else ''}"


def remove_replication_set(where: Where, server: str, name: str) -> Step:
    """The set is forgotten."""
    given = {"where": where, "name": name}
    return Step(
        f"no-set-{name.replace('_', '-')}-{where}",
        where,
        f"forget the replication set {name} on {server}",
        act("replication-set-absent", **given),
        act("remove-replication-set", **given),
        act("put-replication-set-back", **given),
        before=(name,),
    )


def connect(link: Link, names: str, *, suffix: str = "") -> Step:
    """The connection is there, mirroring and replicating."""
    return Step(
        f"connect-{link.purpose}{suffix}",
        link.origin,
        f"connect {link.replication_set} {names}, {link.mirror} mirror{' by checksum' if link.checksum else ''}",
        act("link-there", link=link),
        act("connect", link=link),
        act("put-connection-back", link=link),
        after=(f"{link.source_path} -> {link.target_path} ({link.purpose}, epoch {link.epoch})",),
    )


def disconnect(link: Link, names: str, *, suffix: str = "") -> Step:
    """The connection is ended; the data stays where it is."""
    return Step(
        f"disconnect-{link.purpose}{suffix}",
        link.origin,
        f"end the connection of {link.replication_set} {names}",
        act("link-absent", link=link),
        act("disconnect", link=link),
        act("connect", link=link),
        before=(f"{link.source_path} -> {link.target_path}",),
    )


def await_in_step(link: Link, names: str, budget_s: float, *, suffix: str = "") -> Step:
    """The receiving side is a state that the sending side was in."""
    return Step(
        f"in-step-{link.purpose}{suffix}",
        link.origin,
        f"wait until the data is in step {names}",
        act("link-in-step", link=link),
        act("await-in-step", link=link),
        NOTHING,
        budget_s=budget_s,
    )


def settle(link: Link, names: str, budget_s: float, *, suffix: str = "", downtime: bool = False) -> Step:
    """All that was written is applied on the other side."""
    return Step(
        f"settle-{link.purpose}{suffix}",
        link.origin,
        f"wait until everything written is applied {names}",
        act("link-settled", link=link),
        act("settle", link=link),
        NOTHING,
        budget_s=budget_s,
        downtime=downtime,
    )


def demote(link: Link, server: str, receiver: Where, *, discard_changes: bool, suffix: str = "") -> Step:
    """A promoted side becomes a receiver of this link again."""
    given = {"link": link, "epoch": link.epoch, "discard_changes": discard_changes}
    return Step(
        f"receive-{link.purpose}{suffix}",
        receiver,
        f"make {server} a receiver of {link.replication_set}",
        act("receiver-ready", **given),
        act("demote", **given),
        act("promote-back", **given),
    )
