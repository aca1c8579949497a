"""Coming back on Windows: restore brings the source's data in step while the target serves; failback moves the service, then protects again.

Order and why: the old source is fenced before anything else, and never unfenced by an undo, because the target serves. Then its volumes
receive. For the move the target gives back what it took, is fenced, the next epoch is granted, and only then the direction turns and the
source may serve. What ran there meanwhile is started anew with all that depends on it, so that clients' connections begin afresh.
"""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.model.servers import Where
from orchestrator.model.steps import ScriptCall, Step
from orchestrator.sdk import steps
from orchestrator.sdk.application import Planning
from orchestrator.sdk.pair_plans import parts, taken
from orchestrator.sdk.pair_plans import volume_links as links
from orchestrator.sdk.pair_plans.deeds import PairDeeds
from orchestrator.sdk.pair_plans.host_documents import protection_document
from orchestrator.sdk.pair_plans.volumes import connected, hosts_answer, quiet_on_target

SOURCE, TARGET = Where.SOURCE, Where.TARGET
TARGET_SERVES = "the target serves: the source stays fenced"


def restore(planning: Planning) -> Iterator[Step]:
    """The source's data is what the target's data is, and follows it. Services stay where they are."""
    epoch, source, target = planning.epoch, parts.server(planning, SOURCE), parts.server(planning, TARGET)
    yield hosts_answer(planning)
    fenced = steps.fence(SOURCE, source, planning.protection.id, f"{target} serves epoch {epoch}")
    yield steps.irreversible(fenced, TARGET_SERVES)
    link, words = links.back(planning, epoch), parts.arrow(planning, TARGET)
    if links.offers(planning, "connect"):
        yield steps.irreversible(steps.connect(link, words), "the source's volumes follow the target's since then")
    elif links.offers(planning, "reverse"):
        turned = steps.turn(link, words, epoch, planning.protection.settings.failover.settle_timeout_s, suffix="-back")
        yield steps.irreversible(turned, "the source's data follows the target's since then")
    yield steps.await_in_step(link, words, planning.protection.settings.advanced.mirror_budget_s)


def failback(deeds: PairDeeds, planning: Planning) -> Iterator[Step]:
    """Data, then service, back to the source; then the target is the target again."""
    yield from restore(planning)
    yield from parts.as_awaited(planning, _moved_back(deeds, planning))
    yield from _protected_again(deeds, planning)


def _moved_back(deeds: PairDeeds, planning: Planning) -> Iterator[Step]:
    epoch, settings = planning.epoch, planning.protection.settings
    back, words = links.back(planning, epoch), parts.arrow(planning, TARGET)
    yield from deeds.handing(planning)
    yield from _quiet(planning)
    yield from deeds.given_back(planning)
    yield from parts.run_own(planning, "pre_failback", TARGET, epoch)
    yield from deeds.unnamed(planning)
    yield steps.settle(back, words, settings.failover.settle_timeout_s, downtime=True)
    yield from _epoch_moved(planning)
    yield from _serving_again(deeds, planning)


def _quiet(planning: Planning) -> Iterator[Step]:
    target = parts.server(planning, TARGET)
    for service in reversed(quiet_on_target(planning)):
        document = service.document(TARGET)
        step = steps.stop_service(TARGET, target, document, downtime=True)
        yield steps.in_script(step, parts.service_call("pre_failback", "stop_service", document))


def _epoch_moved(planning: Planning) -> Iterator[Step]:
    protection, settings, epoch = planning.protection, planning.protection.settings, planning.epoch + 1
    source, target = parts.server(planning, SOURCE), parts.server(planning, TARGET)
    yield steps.fence(TARGET, target, protection.id, f"{source} takes epoch {epoch}")
    budget_s = settings.advanced.step_budget_s
    yield steps.grant_from(TARGET, target, protection.id, epoch, forced=False, by=planning.by, budget_s=budget_s)
    if links.offers(planning, "reverse"):
        out = links.out(planning, planning.epoch)
        yield steps.turn(out, parts.arrow(planning, SOURCE), epoch, settings.failover.settle_timeout_s)
    for position, root in enumerate(settings.connection.roots):
        suffix = "" if position == 0 else f"-{position + 1}"
        yield steps.data_there(SOURCE, source, root.source_path, suffix=suffix)
    yield steps.open_side(SOURCE, source, protection.id, epoch, by=planning.by)
    yield steps.give_lease(SOURCE, source, protection.id, epoch)


def _serving_again(deeds: PairDeeds, planning: Planning) -> Iterator[Step]:
    epoch, source = planning.epoch + 1, parts.server(planning, SOURCE)
    if planning.protection.settings.failover.fails_over("addresses"):
        yield steps.wake_addresses(SOURCE, source, taken.own_addresses(planning))
    for service in planning.protection.settings.failover.services:
        document = service.document(SOURCE)
        step = steps.start_service(SOURCE, source, document, downtime=True)
        anew = deeds.starts_anew and not service.must_be_stopped_on_target
        word = "restart_service" if anew else "start_service"
        yield steps.in_script(step, ScriptCall("post_failback", f"common/{word}", {"service": document}))
    yield from deeds.received(planning, epoch)
    yield from parts.run_own(planning, "post_failback", SOURCE, epoch)
    if planning.names is not None and planning.names.changes:
        yield steps.put_names_back(planning.names)
    yield from deeds.clients(planning, "")


def _protected_again(deeds: PairDeeds, planning: Planning) -> Iterator[Step]:
    epoch = planning.epoch + 1
    source, target = parts.server(planning, SOURCE), parts.server(planning, TARGET)
    yield steps.give_document(SOURCE, source, protection_document(deeds, planning, SOURCE, epoch))
    yield steps.give_document(TARGET, target, protection_document(deeds, planning, TARGET, epoch))
    yield from connected(planning, epoch)
    yield steps.lift_fence(TARGET, target, planning.protection.id)
