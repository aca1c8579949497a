"""Why a plan for a Windows file server must not be executed now."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.model.servers import Where
from orchestrator.sdk.application import Planning
from orchestrator.sdk.pair_plans import parts
from orchestrator.sdk.pair_plans import volume_links as links

BOTH = 2


def refusals(kind: str, planning: Planning) -> Iterator[str]:
    """Each one sentence."""
    needed = {"failover": (Where.TARGET,), "unprotect": ()}.get(kind, (Where.SOURCE, Where.TARGET))
    for where in needed:
        side = planning.inventory.on(where)
        if side.unreachable:
            yield f"the {where} {side.name} does not answer: {side.unreachable}"
    silent = [side for side in (planning.inventory.source, planning.inventory.target) if side.unreachable]
    if kind == "unprotect" and len(silent) == BOTH and not planning.forced:
        yield f"neither {silent[0].name} nor {silent[1].name} answers, so nothing would be ended there; --force forgets it here"
    settings = planning.protection.settings
    if kind != "unprotect" and not settings.connection.roots:
        yield "no directory is protected: connection.roots is empty"
    if kind == "failover" and planning.graceful:
        yield "a file server is not handed over: its clients' open files and locks cannot move; dtam failover --force once it is down"
    if kind == "failback":
        yield from parts.changed_scripts(planning)
    if kind in {"restore", "failback"}:
        yield from _no_way_back(planning)
    if kind in {"failover", "failback"} and planning.names is None and settings.failover.moves_names:
        yield "the DNS changes of a failover were never gathered: dtam enable gathers them"


def _no_way_back(planning: Planning) -> Iterator[str]:
    wanted = planning.restoring
    if wanted.elsewhere or wanted.spares:
        yield "whole volumes are brought back to where they came from: no other server or directory, and no file spared"
    if not links.offers(planning, "reverse"):
        yield (
            "the tool that moves the data has no command that turns its direction: bring the data back by hand, "
            "or give connection.external.reverse"
        )
