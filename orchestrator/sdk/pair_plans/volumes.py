"""Plans of a pair of Windows servers: protect, unprotect, fail over. Coming back is in ``volumes_back``.

The executor is `dtam serve` at the target's site, or a command that plays it: no engine does anything by itself. Who may serve is
settled in one place and in one order: the source is surely out (its lease, its fence, or a person's word), then the next epoch is granted,
then the target takes it, then its data lives on its own. Whatever comes after the grant has no undo: the source may be somewhere.

Protected services start by hand only on both sides, so that a server that comes back serves nothing before its lease is renewed. Those that
go on meanwhile on the target have none of what a failover gives them before.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from orchestrator.model.conditions import Stage
from orchestrator.model.servers import Where
from orchestrator.model.settings import ServiceSettings
from orchestrator.model.steps import Step
from orchestrator.sdk import steps
from orchestrator.sdk.application import Planning
from orchestrator.sdk.pair_plans import parts
from orchestrator.sdk.pair_plans import volume_links as links
from orchestrator.sdk.pair_plans.deeds import PairDeeds
from orchestrator.sdk.pair_plans.host_documents import protection_document, start_types

SOURCE, TARGET = Where.SOURCE, Where.TARGET


def protect(deeds: PairDeeds, planning: Planning) -> Iterator[Step]:
    """From nothing to protected: known to both hosts, started by hand only, in step, under an epoch."""
    epoch, protection = max(1, planning.epoch), planning.protection
    source, target = parts.server(planning, SOURCE), parts.server(planning, TARGET)
    yield hosts_answer(planning)
    yield steps.give_document(SOURCE, source, protection_document(deeds, planning, SOURCE, epoch))
    yield steps.give_document(TARGET, target, protection_document(deeds, planning, TARGET, epoch))
    yield from deliver(planning)
    if protection.lowered and protection.lowered.changes:
        yield steps.set_ttl(protection.lowered)
    yield from _by_hand_only(planning)
    for service in reversed(quiet_on_target(planning)):
        yield steps.stop_service(TARGET, target, service.document(TARGET))
    yield from deeds.quiet(planning)
    yield steps.covered(steps.open_side(SOURCE, source, protection.id, epoch, by=planning.by, downtime=False))
    yield steps.give_lease(SOURCE, source, protection.id, epoch)
    yield from parts.start_services(planning, SOURCE, downtime=False)
    yield from connected(planning, epoch)
    yield from deeds.ready(planning, epoch)


def hosts_answer(planning: Planning) -> Step:
    """Both hosts are those that the plan was made for."""
    sides = {where: planning.inventory.on(where).hostname for where in (SOURCE, TARGET)}
    known = {str(where): name for where, name in sides.items() if name}
    return steps.hosts_answer(known, f"{parts.server(planning, SOURCE)} and {parts.server(planning, TARGET)}")


def deliver(planning: Planning) -> Iterator[Step]:
    """The rendered scripts lie on their hosts."""
    for one in planning.scripts:
        where = Where(one.where)
        yield steps.deliver_script(where, parts.server(planning, where), planning.protection.id, one.name, one.sha256)


def quiet_on_target(planning: Planning) -> list[ServiceSettings]:
    """The services that may not run on the target while the source serves."""
    return [one for one in planning.protection.settings.failover.services if one.must_be_stopped_on_target]


def _by_hand_only(planning: Planning) -> Iterator[Step]:
    for service in planning.protection.settings.failover.services:
        for where in (SOURCE, TARGET):
            if where is SOURCE or service.must_be_stopped_on_target:
                yield steps.set_start_type(where, parts.server(planning, where), service.document(where), "manual")


def connected(planning: Planning, epoch: int) -> Iterator[Step]:
    """The data is in step from the source to the target, by whatever moves it."""
    link, words = links.out(planning, epoch), parts.arrow(planning, SOURCE)
    if links.offers(planning, "connect"):
        yield steps.connect(link, words)
    yield steps.await_in_step(link, words, planning.protection.settings.advanced.mirror_budget_s)


def failover(deeds: PairDeeds, planning: Planning) -> Iterator[Step]:
    """To the target, which reads nothing from a source that is gone. What follows the grant can be resumed, and not undone.

    Handed over when graceful: the source stops first, and all that it wrote has arrived.
    """
    protection, settings, epoch = planning.protection, planning.protection.settings, planning.epoch + 1
    source = parts.server(planning, SOURCE)
    wait_s = settings.monitoring.lease.lease_s + settings.monitoring.lease.grace_s + settings.advanced.step_budget_s
    if planning.graceful:
        yield from _handed_over(planning)
    yield steps.grant(SOURCE, source, protection.id, epoch, forced=planning.forced, by=planning.by, budget_s=wait_s)
    for step in parts.as_awaited(planning, _taken_over(deeds, planning, epoch)):
        yield steps.no_way_back(step, TARGET)


def _handed_over(planning: Planning) -> Iterator[Step]:
    source, settings = parts.server(planning, SOURCE), planning.protection.settings
    yield hosts_answer(planning)
    yield from parts.stop_services(planning, SOURCE)
    link, words = links.out(planning, planning.epoch), parts.arrow(planning, SOURCE)
    yield steps.settle(link, words, settings.failover.settle_timeout_s, downtime=True)
    target = parts.server(planning, TARGET)
    yield steps.fence(SOURCE, source, planning.protection.id, f"{target} takes epoch {planning.epoch + 1}")


def _taken_over(deeds: PairDeeds, planning: Planning, epoch: int) -> Iterator[Step]:
    settings, target = planning.protection.settings, parts.server(planning, TARGET)
    yield steps.open_side(TARGET, target, planning.protection.id, epoch, by=planning.by)
    yield steps.give_lease(TARGET, target, planning.protection.id, epoch)
    if links.offers(planning, "promote"):
        yield steps.promote(links.out(planning, planning.epoch), target, epoch, settings.failover.settle_timeout_s)
    for position, root in enumerate(settings.connection.roots):
        suffix = "" if position == 0 else f"-{position + 1}"
        yield steps.data_there(TARGET, target, root.on_target, suffix=suffix)
    yield from parts.run_delivered(planning, "pre_failover", TARGET, epoch)
    yield from start_some(planning, TARGET, quiet=False, script="post_failover")
    yield from deeds.before_services(planning, epoch)
    yield from start_some(planning, TARGET, quiet=True, script="post_failover")
    yield from deeds.after_services(planning, epoch)
    yield from parts.run_own(planning, "post_failover", TARGET, epoch)
    yield from deeds.named(planning, epoch)
    if planning.names is not None and parts.moves_names(planning):
        yield steps.move_names(planning.names, None)
    yield from deeds.clients(planning, "")


def start_some(planning: Planning, where: Where, *, quiet: bool, script: str) -> Iterator[Step]:
    """Start in order those services that are quiet on the target meanwhile, or those that are not: these share out what comes."""
    wanted = {
        one.name for one in planning.protection.settings.failover.services if one.must_be_stopped_on_target == quiet
    }
    for step in parts.start_services(planning, where, script=script):
        if step.do.arguments["service"] in wanted:
            yield step


def unprotect(deeds: PairDeeds, planning: Planning) -> Iterator[Step]:
    """From protected to nothing. The service goes on where it is; steps on a server that does not answer are left out."""
    serving = TARGET if planning.protection.stage in {Stage.FAILED_OVER, Stage.RESTORED} else SOURCE
    staying = deeds.stay(planning) if serving is TARGET else ()
    quiet = (_ttl_back(planning), deeds.unready(planning), staying)
    for step in chain(*quiet, _disconnected(planning, serving), _as_before(planning, serving), _forgotten(planning)):
        if step.where is Where.ORCHESTRATOR or not planning.inventory.on(step.where).unreachable:
            yield step


def _ttl_back(planning: Planning) -> Iterator[Step]:
    if planning.protection.lowered and planning.protection.lowered.changes:
        yield steps.put_ttl_back(planning.protection.lowered)


def _disconnected(planning: Planning, serving: Where) -> Iterator[Step]:
    if links.offers(planning, "connect"):
        make = links.out if serving is SOURCE else links.back
        ended = steps.disconnect(make(planning, planning.epoch), parts.arrow(planning, serving))
        why = "connecting again would overwrite what the old source has: dtam restore does that, by wish"
        yield ended if serving is SOURCE else steps.irreversible(ended, why)


def _as_before(planning: Planning, serving: Where) -> Iterator[Step]:
    """Start types as they were, but on a source that was lost: it keeps to starting nothing by itself."""
    for where in (SOURCE, TARGET) if serving is SOURCE else (TARGET,):
        before = start_types(planning, where)
        for service in planning.protection.settings.failover.services:
            guarded = where is SOURCE or service.must_be_stopped_on_target
            if guarded and before.get(service.name) == "automatic":
                yield steps.set_start_type(where, parts.server(planning, where), service.document(where), "automatic")


def _forgotten(planning: Planning) -> Iterator[Step]:
    sides = [where for where in (SOURCE, TARGET) if not planning.inventory.on(where).unreachable]
    for where in sides:
        yield steps.take_document(where, parts.server(planning, where), planning.protection.id, sides)
