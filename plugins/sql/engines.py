"""SQL Server on a pair with dtam's engines (Linux): what it adds to the plans, where the target's own script does a failover.

The service that holds the data is guarded on both sides. In database-only mode the target's instance is its own: it goes on, no guard
stops it, and the protected databases are not known to it while their files come in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from orchestrator.model.servers import Where
from orchestrator.model.settings import ServiceSettings
from orchestrator.model.sqlaccess import access_of
from orchestrator.model.steps import ScriptCall, Step
from orchestrator.sdk import steps
from orchestrator.sdk.application import Planning
from orchestrator.sdk.pair_plans import parts
from orchestrator.sdk.pair_plans.deeds import PairDeeds
from orchestrator.sdk.pair_plans.taken import at_target
from orchestrator.sdk.steps.identity import segment
from orchestrator.sdk.steps.sql import SqlDeed, sql_from_here, sql_on_target
from plugins.sql import asking_clients, deeds, naming, told
from plugins.sql.points import points
from plugins.sql.rules import rules_of

SOURCE, TARGET = Where.SOURCE, Where.TARGET


def guarded(planning: Planning, where: Where) -> Sequence[ServiceSettings]:
    """The services that a side starts only where it may serve."""
    services = planning.protection.settings.failover.services
    return [one for one in services if where is SOURCE or one.must_be_stopped_on_target]


def quiet(planning: Planning) -> Iterator[Step]:
    """The target knows none of the databases whose files come in."""
    if not told.is_whole(planning.protection.settings):
        for one in told.instances(planning):
            yield sql_from_here(TARGET, deeds.detached(planning, TARGET, one, before=True))


def keep_ready(planning: Planning, epoch: int) -> Iterator[Step]:
    """The source's log-ins lie sealed on the target, whose engine gathers them anew from time to time."""
    if not _keeps_logins(planning):
        return
    settings, pair = planning.protection.settings, planning.protection.pair
    for one in told.instances(planning):
        source = msgspec.to_builtins(access_of(pair, settings, SOURCE, one.name, by_target=True))
        yield sql_on_target(at_target(planning, "post_failover", epoch), deeds.kept(planning, one), source)


def followed(planning: Planning) -> dict[str, Any]:
    """How often the target's engine gathers the log-ins anew."""
    transfer = told.settings_of(planning.protection.settings).logins
    if not _keeps_logins(planning):
        return {}
    steps_of = [deeds.kept(planning, one).step_id for one in told.instances(planning)]
    return {"refresh_logins_s": float(transfer.refresh_interval_s), "logins": steps_of}


def _keeps_logins(planning: Planning) -> bool:
    settings = planning.protection.settings
    return not told.is_whole(settings) and told.settings_of(settings).logins.transfer


def before_services(planning: Planning, epoch: int) -> Iterator[Step]:
    """An instance of the target's own that somebody stopped is started."""
    for service in planning.protection.settings.failover.services:
        unit = service.on(TARGET).unit
        if unit is not None and not service.must_be_stopped_on_target:
            at = at_target(planning, "post_failover", epoch)
            call = ScriptCall(at.script, "common/start_unit", {"unit": unit})
            yield segment(at, f"start-{service.name}-target", f"start {unit} on {at.server}", call)


def after_services(planning: Planning, epoch: int) -> Iterator[Step]:
    """The instances answer; what is the databases' own follows them."""
    for one, deed in deeds.on_serving(planning, TARGET):
        yield _by_target(planning, "post_failover", deed, epoch)
        if deeds.restarts(deed):
            yield _restarted(planning, deed, epoch)
            yield _by_target(
                planning, "post_failover", deeds.ready(planning, TARGET, one, one.databases, suffix="-renamed"), epoch
            )


def _restarted(planning: Planning, deed: SqlDeed, epoch: int) -> Step:
    at = at_target(planning, "post_failover", epoch)
    service = deeds.engine_service(planning, deed.instance)
    call = ScriptCall(at.script, "sql/restart", {"service": service.document(TARGET)})
    return segment(
        at, f"restart-{service.name}-target", f"restart {service.name} on {at.server} under its new name", call
    )


def _by_target(planning: Planning, script: str, deed: SqlDeed, epoch: int) -> Step:
    pair, settings = planning.protection.pair, planning.protection.settings
    access = msgspec.to_builtins(access_of(pair, settings, TARGET, deed.instance, by_target=True))
    return sql_on_target(at_target(planning, script, epoch), deed, access)


def handing(planning: Planning) -> Iterator[Step]:
    """The target's instance gives the databases up, and goes on; what log-ins it has is kept for the source."""
    if not told.is_whole(planning.protection.settings):
        for one in told.instances(planning):
            if told.settings_of(planning.protection.settings).logins.transfer:
                yield sql_from_here(SOURCE, deeds.kept_for_return(planning, one))
            yield _by_target(planning, "pre_failback", deeds.detached(planning, TARGET, one), planning.epoch)


def received(planning: Planning, _epoch: int) -> Iterator[Step]:
    """The source's instance has its databases, its log-ins and its name again."""
    yield from from_here(planning, SOURCE)


def closing(planning: Planning, serving: Where) -> Iterator[Step]:
    """The target's own instance goes on while the capture of databases that it serves ends: it lets go of them for that."""
    if serving is TARGET and not told.is_whole(planning.protection.settings):
        for one in told.instances(planning):
            yield sql_from_here(TARGET, deeds.detached(planning, TARGET, one))


def reopening(planning: Planning, serving: Where) -> Iterator[Step]:
    """It serves them again."""
    if serving is TARGET and not told.is_whole(planning.protection.settings):
        for one in told.instances(planning):
            for deed in deeds.attached_again(planning, TARGET, one):
                yield sql_from_here(TARGET, deed)


def from_here(planning: Planning, where: Where) -> Iterator[Step]:
    """The same deeds as on a target that fails over, done by whoever carries the plan out; a restart is two steps then."""
    for one, deed in deeds.on_serving(planning, where):
        yield sql_from_here(where, deed)
        if deeds.restarts(deed):
            yield from restarted(planning, where, deed)
            yield sql_from_here(where, deeds.ready(planning, where, one, one.databases, suffix="-renamed"))


def restarted(planning: Planning, where: Where, deed: SqlDeed) -> Iterator[Step]:
    """The engine's service, stopped and started."""
    service, server = deeds.engine_service(planning, deed.instance).document(where), parts.server(planning, where)
    yield steps.stop_service(where, server, service, suffix="-renamed", downtime=True)
    started = steps.start_service(where, server, service, downtime=True)
    yield msgspec.structs.replace(started, id=f"{started.id}-renamed")


DEEDS = PairDeeds(
    takeover=lambda planning: told.documents(planning) | naming.documents(planning),
    followed=followed,
    rules=rules_of,
    guarded=guarded,
    quiet=quiet,
    ready=keep_ready,
    before_services=before_services,
    after_services=after_services,
    named=naming.take,
    handing=handing,
    given_back=naming.give_back,
    received=received,
    taken_whole=True,
    closing=closing,
    reopening=reopening,
    clients=asking_clients.clients_served,
    points=points,
    stay=lambda planning: [steps.stay_here(at_target(planning, "post_failover"))],
)
"""What SQL Server adds to the plans of a pair with engines."""
