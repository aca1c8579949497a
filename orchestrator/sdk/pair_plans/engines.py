"""Plans of a pair with engines: protect, unprotect, fail over. Coming back is in ``engines_back``.

Protect captures the source's directories while its services are down for a moment, because a file that was opened before
would be written around the capture. The failover is the target's own deed; what its script does is listed after it as steps
that look for themselves, so that the run ends only when the clients are served through their name. What an application adds are
such steps too: documents in the target's script, kept there from the day of protection.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from orchestrator.model.conditions import Stage
from orchestrator.model.servers import Where
from orchestrator.model.steps import ScriptCall, Step
from orchestrator.sdk import steps
from orchestrator.sdk.application import Planning
from orchestrator.sdk.pair_plans import links, parts
from orchestrator.sdk.pair_plans.deeds import PairDeeds
from orchestrator.sdk.pair_plans.documents import dns_document, protection_document

SOURCE, TARGET = Where.SOURCE, Where.TARGET


def protect(deeds: PairDeeds, planning: Planning) -> Iterator[Step]:
    """From nothing to protected: known to both engines, captured, in step, watched.

    The epoch is given up when the undo takes the engines' part in the protection away.
    """
    epoch = max(1, planning.epoch)
    source, target = parts.server(planning, SOURCE), parts.server(planning, TARGET)
    yield parts.engines_answer(planning)
    yield steps.pair_engines(f"{source} and {target}")
    for root in planning.protection.settings.connection.roots:
        yield steps.make_directory(TARGET, target, root.on_target)
    yield steps.give_document(SOURCE, source, protection_document(deeds, planning, SOURCE, epoch))
    yield steps.give_document(TARGET, target, protection_document(deeds, planning, TARGET, epoch))
    yield from deliver(planning)
    if planning.protection.lowered and planning.protection.lowered.changes:
        yield steps.set_ttl(planning.protection.lowered)
    taken = steps.take_epoch(SOURCE, source, planning.protection.id, epoch, by=planning.by, downtime=False)
    yield steps.covered(taken)
    yield from _quiet_target(planning)
    yield from deeds.quiet(planning)
    yield from _captured(planning)
    yield from parts.start_services(planning, SOURCE)
    yield from connected(deeds, planning, epoch)
    yield from deeds.ready(planning, epoch)
    watched = planning.protection.settings.is_watched
    yield steps.monitor(TARGET, target, planning.protection.id, on=watched, by=planning.by)


def deliver(planning: Planning) -> Iterator[Step]:
    """The rendered scripts lie on their hosts."""
    for one in planning.scripts:
        where = Where(one.where)
        yield steps.deliver_script(where, parts.server(planning, where), planning.protection.id, one.name, one.sha256)


def _quiet_target(planning: Planning) -> Iterator[Step]:
    busy = [one for one in planning.protection.settings.failover.services if one.must_be_stopped_on_target]
    for service in reversed(busy):
        yield steps.stop_service(TARGET, parts.server(planning, TARGET), service.document(TARGET))


def _captured(planning: Planning) -> Iterator[Step]:
    settings, source = planning.protection.settings, parts.server(planning, SOURCE)
    roots = settings.connection.roots
    if not all(root.source_path in planning.inventory.source.captured for root in roots):
        yield from parts.stop_services(planning, SOURCE)
    limits = settings.connection.queue.document()
    for position, root in enumerate(roots):
        yield steps.capture(SOURCE, source, root.source_path, limits, suffix=links.suffix(position))


def connected(deeds: PairDeeds, planning: Planning, epoch: int, *, difference: bool = False) -> Iterator[Step]:
    """Replication sets, connections, and the wait until the target is in step."""
    settings, source = planning.protection.settings, parts.server(planning, SOURCE)
    wanted = links.out(planning, epoch, difference=difference)
    for root, link in zip(settings.connection.roots, wanted, strict=True):
        rules = deeds.rules(planning, root)
        yield steps.replication_set(SOURCE, source, link.replication_set, root.source_path, rules)
    words = parts.arrow(planning, SOURCE)
    for position, link in enumerate(wanted):
        yield steps.connect(link, words, suffix=links.suffix(position))
    budget_s = settings.advanced.mirror_budget_s
    for position, link in enumerate(wanted):
        yield steps.await_in_step(link, words, budget_s, suffix=links.suffix(position))


def failover(deeds: PairDeeds, planning: Planning) -> Iterator[Step]:
    """To the target: handed over when graceful, else by the target alone. Nothing is read from a source that is gone."""
    protection, settings = planning.protection, planning.protection.settings
    if planning.graceful:
        yield from _handed_over(planning)
    budget_s = settings.failover.settle_timeout_s + settings.failover.health.within_s + settings.advanced.step_budget_s
    yield steps.fail_over(
        TARGET,
        parts.server(planning, TARGET),
        protection.id,
        planning.epoch,
        forced=planning.forced,
        by=planning.by,
        data=planning.data,
        budget_s=budget_s,
    )
    for step in _taken_over(deeds, planning):
        yield steps.no_way_back(step, TARGET) if deeds.taken_whole else step


def _taken_over(deeds: PairDeeds, planning: Planning) -> Iterator[Step]:
    """What the target's own script does, looked at, and done where it was not."""
    yield from deeds.present(planning)
    yield from deeds.before_services(planning, planning.epoch)
    yield from parts.start_services(planning, TARGET, deeds.guarded(planning, TARGET), script="post_failover")
    yield from deeds.after_services(planning, planning.epoch)
    yield from deeds.named(planning, planning.epoch)
    if planning.names is not None and parts.moves_names(planning):
        call = ScriptCall("post_failover", "common/move_names", dns_document(planning))
        yield steps.move_names(planning.names, call)
    yield from deeds.clients(planning, "post_failover")


def _handed_over(planning: Planning) -> Iterator[Step]:
    source, protection = parts.server(planning, SOURCE), planning.protection
    yield parts.engines_answer(planning)
    yield from parts.stop_services(planning, SOURCE)
    for position, link in enumerate(links.out(planning, planning.epoch)):
        budget_s = protection.settings.failover.settle_timeout_s
        words = parts.arrow(planning, SOURCE)
        yield steps.settle(link, words, budget_s, suffix=links.suffix(position), downtime=True)
    yield steps.release_lease(SOURCE, source, protection.id, planning.epoch)


def unprotect(deeds: PairDeeds, planning: Planning) -> Iterator[Step]:
    """From protected to nothing. The service goes on where it is, restarted once without the capture under it.

    Steps on a server that does not answer are left out: a lost server must not hold the other one.
    """
    serving = TARGET if planning.protection.stage in {Stage.FAILED_OVER, Stage.RESTORED} else SOURCE
    quiet = (_unwatched(planning), _ttl_back(planning), deeds.unready(planning))
    staying = deeds.stay(planning) if serving is TARGET else ()
    ends = (*quiet, staying, _disconnected(planning, serving), _uncaptured(deeds, planning, serving))
    wanted = chain(*ends, _forgotten(planning))
    for step in wanted:
        if step.where is Where.ORCHESTRATOR or not planning.inventory.on(step.where).unreachable:
            yield step


def _unwatched(planning: Planning) -> Iterator[Step]:
    yield steps.monitor(TARGET, parts.server(planning, TARGET), planning.protection.id, on=False, by=planning.by)


def _ttl_back(planning: Planning) -> Iterator[Step]:
    if planning.protection.lowered and planning.protection.lowered.changes:
        yield steps.put_ttl_back(planning.protection.lowered)


def _disconnected(planning: Planning, serving: Where) -> Iterator[Step]:
    for position, link in enumerate(links.out(planning, planning.epoch)):
        step = steps.disconnect(link, parts.arrow(planning, SOURCE), suffix=links.suffix(position))
        refused = "the target refuses it since the failover"
        yield step if serving is SOURCE else steps.irreversible(step, refused)
    for position, link in enumerate(links.back(planning, planning.epoch)):
        yield steps.disconnect(link, parts.arrow(planning, TARGET), suffix=links.suffix(position))


def _uncaptured(deeds: PairDeeds, planning: Planning, serving: Where) -> Iterator[Step]:
    settings = planning.protection.settings
    limits = settings.connection.queue.document()
    guarded = deeds.guarded(planning, serving)
    yield from deeds.closing(planning, serving)
    yield from parts.stop_services(planning, serving, guarded)
    for where in (SOURCE, TARGET):
        for position, root in enumerate(settings.connection.roots):
            server = parts.server(planning, where)
            yield steps.capture(where, server, root.on(where), limits, on=False, suffix=links.suffix(position))
    yield from parts.start_services(planning, serving, guarded)
    yield from deeds.reopening(planning, serving)


def _forgotten(planning: Planning) -> Iterator[Step]:
    settings = planning.protection.settings
    for where in (SOURCE, TARGET):
        for position in range(len(settings.connection.roots)):
            yield steps.remove_replication_set(where, parts.server(planning, where), settings.set_name(position))
    sides = [where for where in (SOURCE, TARGET) if not planning.inventory.on(where).unreachable]
    for where in sides:
        yield steps.take_document(where, parts.server(planning, where), planning.protection.id, sides)
