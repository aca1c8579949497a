"""Coming back: restore brings the source's data in step while the target serves; failback moves the service, then protects again.

Order and why: the old source is fenced before anything else, and never unfenced by an undo, because the target serves. Its old
connection and capture end, so that the restore writes below no live mount. Clients lose the service only from the stop on the
target to the start on the source; meanwhile the target gives back what it took. The target gives up its epoch before the source may take the next one: never two masters.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from orchestrator.model.servers import Where
from orchestrator.model.steps import Step
from orchestrator.sdk import steps
from orchestrator.sdk.application import Planning
from orchestrator.sdk.pair_plans import links, parts
from orchestrator.sdk.pair_plans.deeds import PairDeeds
from orchestrator.sdk.pair_plans.documents import protection_document
from orchestrator.sdk.pair_plans.engines import connected

SOURCE, TARGET = Where.SOURCE, Where.TARGET
TARGET_SERVES = "the target serves: the source stays fenced"


def restore(deeds: PairDeeds, planning: Planning) -> Iterator[Step]:
    """The source's data is what the target's data is, and follows it. Services stay where they are.

    A restore to another place, or one that spares files, is a copy: it ends when it is complete.
    """
    yield parts.engines_answer(planning)
    if planning.restoring.elsewhere:
        yield steps.pair_engines(f"{parts.server(planning, SOURCE)} and {parts.server(planning, TARGET)}")
    else:
        yield from _source_stands_by(planning)
    yield from _brought_back(deeds, planning)
    for position, link in enumerate(links.back(planning, planning.epoch) if planning.restoring.ends else ()):
        step = steps.disconnect(link, parts.arrow(planning, TARGET), suffix=links.suffix(position))
        yield steps.irreversible(step, "the copy is complete")


def _source_stands_by(planning: Planning) -> Iterator[Step]:
    epoch, source, target = planning.epoch, parts.server(planning, SOURCE), parts.server(planning, TARGET)
    protection = planning.protection.id
    yield steps.monitor(TARGET, target, protection, on=False, by=planning.by, suffix="-meanwhile")
    fenced = steps.fence(SOURCE, source, protection, f"{target} serves epoch {epoch}")
    yield steps.irreversible(fenced, TARGET_SERVES)
    yield from _made_receiver(planning)


def _brought_back(deeds: PairDeeds, planning: Planning) -> Iterator[Step]:
    target, settings = parts.server(planning, TARGET), planning.protection.settings
    wanted = links.back(planning, planning.epoch)
    for root, link in zip(settings.connection.roots, wanted, strict=True):
        rules = deeds.rules(planning, root)
        yield steps.replication_set(TARGET, target, link.replication_set, root.on_target, rules)
    words = parts.arrow(planning, TARGET)
    for position, link in enumerate(wanted):
        yield steps.connect(link, words, suffix=links.suffix(position))
    for position, link in enumerate(wanted):
        yield steps.await_in_step(link, words, settings.advanced.mirror_budget_s, suffix=links.suffix(position))


def _made_receiver(planning: Planning) -> Iterator[Step]:
    """What the source did as a source ends: its connection, which the target refuses, and its capture."""
    source, settings = parts.server(planning, SOURCE), planning.protection.settings
    limits = settings.connection.queue.document()
    for position, link in enumerate(links.out(planning, planning.epoch)):
        step = steps.disconnect(link, parts.arrow(planning, SOURCE), suffix=f"{links.suffix(position)}-old")
        yield steps.irreversible(step, "the target refuses it since the failover")
    for position, root in enumerate(settings.connection.roots):
        suffix = links.suffix(position)
        step = steps.capture(SOURCE, source, root.source_path, limits, on=False, suffix=suffix)
        yield steps.irreversible(step, "no service writes there; it is captured again before one does")


def failback(deeds: PairDeeds, planning: Planning) -> Iterator[Step]:
    """Data, then service, back to the source; then the target is the target again."""
    yield from restore(deeds, planning)
    yield from parts.as_awaited(planning, _moved_back(deeds, planning))
    yield from _protected_again(deeds, planning)


def _moved_back(deeds: PairDeeds, planning: Planning) -> Iterator[Step]:
    epoch, protection, settings = planning.epoch, planning.protection, planning.protection.settings
    source, target = parts.server(planning, SOURCE), parts.server(planning, TARGET)
    yield from deeds.handing(planning)
    yield from parts.stop_services(planning, TARGET, deeds.guarded(planning, TARGET), script="pre_failback")
    for position, link in enumerate(links.back(planning, epoch)):
        budget_s, words = settings.failover.settle_timeout_s, parts.arrow(planning, TARGET)
        yield steps.settle(link, words, budget_s, suffix=links.suffix(position), downtime=True)
    yield from deeds.given_back(planning)
    yield from deeds.unnamed(planning)
    yield from parts.run_delivered(planning, "pre_failback", TARGET, epoch)
    yield steps.release_lease(TARGET, target, protection.id, epoch)
    for position, link in enumerate(links.back(planning, epoch)):
        step = steps.disconnect(link, parts.arrow(planning, TARGET), suffix=links.suffix(position))
        kept = steps.irreversible(step, "dtam restore connects again, under the epoch of then")
        yield msgspec.structs.replace(kept, downtime=True)
    limits = settings.connection.queue.document()
    for position, root in enumerate(settings.connection.roots):
        yield steps.capture(SOURCE, source, root.source_path, limits, suffix=links.suffix(position), downtime=True)
    yield steps.take_epoch(SOURCE, source, protection.id, epoch + 1, by=planning.by)
    if planning.names is not None and planning.names.changes:
        yield steps.put_names_back(planning.names)
    yield from parts.start_services(planning, SOURCE, script="post_failback")
    yield from deeds.received(planning, epoch + 1)
    yield from parts.run_delivered(planning, "post_failback", SOURCE, epoch + 1)
    yield from deeds.clients(planning, "")


def _protected_again(deeds: PairDeeds, planning: Planning) -> Iterator[Step]:
    epoch, protection, settings = planning.epoch + 1, planning.protection, planning.protection.settings
    target, limits = parts.server(planning, TARGET), settings.connection.queue.document()
    yield steps.give_document(
        SOURCE, parts.server(planning, SOURCE), protection_document(deeds, planning, SOURCE, epoch)
    )
    yield steps.give_document(TARGET, target, protection_document(deeds, planning, TARGET, epoch))
    for position, root in enumerate(settings.connection.roots):
        yield steps.capture(TARGET, target, root.on_target, limits, on=False, suffix=links.suffix(position))
    for position, link in enumerate(links.out(planning, epoch)):
        yield steps.demote(link, target, TARGET, discard_changes=True, suffix=links.suffix(position))
    yield from connected(deeds, planning, epoch, difference=True)
    yield steps.lift_fence(TARGET, target, protection.id)
    if settings.is_watched and not planning.stop_monitoring:
        yield steps.monitor(TARGET, target, protection.id, on=True, by=planning.by)
