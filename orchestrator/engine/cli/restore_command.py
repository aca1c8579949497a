"""``dtengine restore``: a replica's data goes back to its source, or to another server; asked at the engine that keeps the replica.

What it is made of stands by itself, too: a set over the replica's directory, the directory captured, a connection with the purpose
``restore``. The receiving engine refuses while it captures the place (its services write there), and puts aside what never arrived.
"""

from __future__ import annotations

from typing import Any

import click

from orchestrator.engine.cli.asking import Ask, asking
from orchestrator.engine.client import ReplicaStatus, schema
from orchestrator.engine.control.errors import Conflict, Unknown


@click.command("restore")
@click.argument("replica")
@click.option("--to", "target", required=True, help="The paired engine that gets the data.")
@click.option("--into", help="Where it goes there; where it was at its source when absent.")
@click.option("--set", "own_set", help="A set of this engine instead of the copy that the source sent.")
@click.option("--restore-set", is_flag=True, help="Give that engine the set, too, unless it has one of the name.")
@click.option("--overwrite/--no-overwrite", default=True, show_default=True, help="Replace files that are there.")
@click.option("--only-newer", is_flag=True, help="Only files that are newer here. Not for databases.")
@click.option("--checksum/--no-checksum", default=True, show_default=True, help="Send only differing blocks.")
@click.option("--orphans", type=click.Choice(["ignore", "log", "move", "delete"]), default="ignore", show_default=True)
@click.option("--move-to", help="Where orphans are moved to, on the engine that gets the data.")
@click.option("--older-than-s", type=int, default=0, show_default=True, help="Only orphans of this age.")
@asking
def restore(ask: Ask, replica: str, **how: Any) -> None:
    """Bring the data of REPLICA (its key, or the name of its set) back; only differences travel.

    A whole restore goes on replicating until it is disconnected. With --no-overwrite or --only-newer it is a mirror alone.
    """
    held = _held(ask, replica)
    chosen, original = _chosen(ask, held, how["own_set"])
    into = how["into"] or original
    if all(mount.path != chosen.root for mount in ask.engine.mounts()):
        ask.engine.mount(schema.MountRequest(path=chosen.root, capture="watcher"))
    orphans = {"action": how["orphans"], "move_to": how["move_to"], "older_than_s": how["older_than_s"]}
    mirror = schema.MirrorOptions(
        kind="difference",
        checksum=how["checksum"],
        only_newer=how["only_newer"],
        overwrite=how["overwrite"],
        orphans=schema.Orphans.model_validate(orphans),
    )
    request = schema.ConnectionRequest(
        replication_set=chosen.name,
        target=how["target"],
        mapping=schema.Mapping(kind="custom", pairs=[schema.PathPair(source=chosen.root, target=into)]),
        mirror=mirror,
        start_replication=not mirror.spares,
        purpose="restore",
        restore_set=how["restore_set"],
        protection=held.protection,
        epoch=held.epoch,
    )
    ask.show(ask.engine.connect(request))


def _held(ask: Ask, replica: str) -> ReplicaStatus:
    found = [one for one in ask.engine.replicas() if replica in (one.key, one.replication_set)]
    if not found:
        raise Unknown(kind="replica", name=replica, listing="replicas list")
    if len(found) > 1:
        why = f"{len(found)} replicas are of a set of that name"
        raise Conflict(what=f"restoring {replica}", why=why, hint="name it by its key: dtengine replicas list")
    return found[0]


def _chosen(ask: Ask, held: ReplicaStatus, own_set: str | None) -> tuple[schema.ReplicationSet, str]:
    """The set over the replica's directory, made from the source's copy unless one of here is named; and the original root."""
    known = {one.name: one for one in ask.engine.replication_sets()}
    if own_set is not None:
        if own_set not in known:
            raise Unknown(kind="replication set", name=own_set, listing="sets list")
        return known[own_set], known[own_set].root
    copy = ask.engine.backup_set(held.key)
    there = known.get(copy.name)
    if there is None:
        fresh = schema.ReplicationSet(name=copy.name, root=held.target_root, rules=copy.rules)
        return ask.engine.create_replication_set(fresh), copy.root
    if (there.root, there.rules) != (held.target_root, copy.rules):
        why = f"a set of that name exists here with other rules or another root: {there.root}"
        hint = f"restore by it: --set {there.name}; or forget it first: dtengine sets remove {there.name}"
        raise Conflict(what=f"restoring by the copy of {copy.name}", why=why, hint=hint)
    return there, copy.root
