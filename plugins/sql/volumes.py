"""SQL Server on a pair of Windows servers: what it adds to the plans, where whoever carries a plan out does the deeds at the instances.

Instances listen for everybody, so that what would be a second hop of WinRM is none: log-ins, databases and names are changed over SQL
Server's own port. In database-only mode the target's instance is its own and goes on.
"""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.model.servers import Where
from orchestrator.model.steps import Step
from orchestrator.sdk import steps
from orchestrator.sdk.application import Planning
from orchestrator.sdk.pair_plans import taken
from orchestrator.sdk.pair_plans.deeds import PairDeeds
from orchestrator.sdk.pair_plans.taken import at_target
from orchestrator.sdk.steps.sql import sql_from_here
from plugins.sql import asking_clients, deeds, naming, told
from plugins.sql.engines import from_here, quiet
from plugins.sql.rules import rules_of

SOURCE, TARGET = Where.SOURCE, Where.TARGET


def keep_ready(planning: Planning, _epoch: int) -> Iterator[Step]:
    """The source's log-ins lie sealed on this machine."""
    settings = planning.protection.settings
    if not told.is_whole(settings) and told.settings_of(settings).logins.transfer:
        for one in told.instances(planning):
            yield sql_from_here(TARGET, deeds.kept(planning, one, deeds.FRESH_S))


def take_addresses(planning: Planning, epoch: int) -> Iterator[Step]:
    """The source's addresses, by a segment of the target's script."""
    if planning.protection.settings.failover.fails_over("addresses"):
        yield steps.take_addresses(at_target(planning, "post_failover", epoch), taken.addresses(planning))


def give_addresses_back(planning: Planning) -> Iterator[Step]:
    """They are the source's again."""
    if planning.protection.settings.failover.fails_over("addresses"):
        yield steps.give_addresses_back(at_target(planning, "pre_failback"), taken.addresses(planning))


def handing(planning: Planning) -> Iterator[Step]:
    """The target's instance gives the databases up, and goes on; what log-ins it has is kept for the source."""
    if told.is_whole(planning.protection.settings):
        return
    for one in told.instances(planning):
        if told.settings_of(planning.protection.settings).logins.transfer:
            yield sql_from_here(SOURCE, deeds.kept_for_return(planning, one))
        yield sql_from_here(TARGET, deeds.detached(planning, TARGET, one))


DEEDS = PairDeeds(
    takeover=lambda planning: told.documents(planning) | naming.documents(planning),
    rules=rules_of,
    quiet=quiet,
    ready=keep_ready,
    before_services=take_addresses,
    after_services=lambda planning, _epoch: from_here(planning, TARGET),
    named=naming.take_from_here,
    handing=handing,
    given_back=give_addresses_back,
    unnamed=naming.give_back_from_here,
    clients=asking_clients.clients_served,
    starts_anew=False,
    received=lambda planning, _epoch: from_here(planning, SOURCE),
)
"""What SQL Server adds to the plans of a pair of Windows servers."""
