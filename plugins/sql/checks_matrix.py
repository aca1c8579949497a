"""Whether a pair is one that is supported: the table of chapter 1, continued to today's versions, over what was found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from orchestrator.model.findings import Finding
from orchestrator.model.inventory import OtherProtection, SideInventory
from orchestrator.model.servers import Where
from orchestrator.sdk.checks import View, check
from plugins.sql.checks_view import configuration, protected
from plugins.sql.clusters import unfit, way_by_hand
from plugins.sql.forests import related
from plugins.sql.matrix import Configuration, Forest, Topology
from plugins.sql.matrix_rules import Refusal, is_migration, may_return, refusals

APPLICATION = "sql"


@check("supported-configuration", passed="the pair is one that is supported")
def supported_configuration(view: View) -> Iterator[Finding]:
    """What is outside of the table was tried by nobody: a failover there may leave two half servers instead of one."""
    said: set[str] = set()
    for pair in configurations(view):
        for one in refusals(pair):
            if one.what not in said:
                said.add(one.what)
                yield view.error(one.what, where=_place(view, one), why=one.why, remedy=one.remedy)


@check("migration-one-way", passed="both servers have the same version, so that a failback is possible")
def migration_one_way(view: View) -> Iterator[Finding]:
    """Once a newer server has opened a database no older one reads it any more."""
    for pair in configurations(view):
        if is_migration(pair):
            yield view.warning(
                f"{pair.target.server} runs {pair.target.called}, newer than {pair.source.called} of {pair.source.server}",
                where=view.place("failover.sql.mode"),
                why="attaching upgrades a database for good: this is a migration, and a failback will be refused",
                remedy=f"nothing, for a migration; else install {pair.source.called} on {pair.target.server}",
            )
            return


@check("cluster-by-hand", passed="no cluster is protected")
def cluster_by_hand(view: View) -> Iterator[Finding]:
    """A cluster's resources are brought online by a person: dtam knows the order, and does not do it itself yet."""
    pairs = [one for one in configurations(view) if one.source.clustered and one.target.clustered]
    if not pairs:
        return
    for setting, what, remedy in unfit(view.settings):
        yield view.error(what, where=view.place(setting), why="a clustered instance was found", remedy=remedy)
    steps = way_by_hand(view.settings, pairs[0].source.server, pairs[0].target.server)
    yield view.error(
        f"{pairs[0].source.server} and {pairs[0].target.server} are clusters, whose resources dtam does not bring online yet",
        where=view.place("failover.cluster"),
        why="after a failover nothing would serve until a person brings the group online",
        remedy="; then ".join(steps),
    )


def configurations(view: View) -> Iterator[Configuration]:
    """Each protected instance as a pair of what was found; nothing while one side is not known."""
    if view.settings.failover.sql is None:
        return
    tied, domains = topology(view), forest(view)
    for one in protected(view):
        pair = configuration(view, one)
        if pair is not None:
            yield replace(pair, topology=tied, forest=domains)


def returns(view: View) -> bool:
    """Whether every pair of instances may be failed back."""
    return all(may_return(one) for one in configurations(view))


def topology(view: View) -> Topology:
    """How this pair is tied to others, as far as both hosts say what they have a part in."""
    ours = (str(view.inventory.source.name).lower(), str(view.inventory.target.name).lower())
    others = [_others(view, where, ours) for where in (Where.SOURCE, Where.TARGET)]
    if any(one.role == "target" for one in others[0]) or any(one.role == "source" for one in others[1]):
        return Topology.CASCADED
    if any(one.role == "source" for one in others[0]):
        return Topology.ONE_TO_MANY
    return Topology.MANY_TO_ONE if others[1] else Topology.ONE_TO_ONE


def _others(view: View, where: Where, ours: tuple[str, str]) -> list[OtherProtection]:
    found: Iterable[OtherProtection] = view.inventory.on(where).parts or ()
    return [
        one
        for one in found
        if one.id != view.protection.id
        and one.application == APPLICATION
        and (one.source.lower(), one.target.lower()) != ours
    ]


def forest(view: View) -> Forest:
    """How the domains of both hosts are related."""
    domain = view.inventory.domain
    together = domain.source is not None and domain.target is not None
    return related(_domain(view.inventory.source), _domain(view.inventory.target), one_directory=together)


def _domain(side: SideInventory) -> str:
    if side.windows is not None:
        return side.windows.domain if side.windows.is_member or side.windows.is_controller else ""
    return side.samba.realm if side.samba is not None else ""


def _place(view: View, refusal: Refusal) -> str:
    """What stands behind a row of the table: a setting, or the servers themselves."""
    settings = {
        "version": "failover.sql.mode",
        "many_to_one": "failover.sql.mode",
        "database_only": "failover.sql.mode",
    }
    named = settings.get(refusal.row)
    if named is not None:
        return view.place(named)
    return f"{view.inventory.source.name} and {view.inventory.target.name}"


MATRIX = (supported_configuration, migration_one_way, cluster_by_hand)
