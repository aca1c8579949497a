"""Ask both servers, the names and the witness what a file server's protection needs to know. A silent one is a fact, no error."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from orchestrator.model.inventory import Inventory, Query, SideInventory
from orchestrator.model.servers import Where
from orchestrator.model.settings import Settings
from orchestrator.model.settings_domain import SambaSettings
from orchestrator.sdk.asking import domain_of, names_of, witness_of
from orchestrator.sdk.asking_hosts import engine_side, or_silent, paired
from orchestrator.sdk.context import Ports
from orchestrator.sdk.sides import account_of, target_keys
from plugins.fileserver.sharing import chosen


def inventory(ports: Ports, settings: Settings) -> Inventory:
    """Everything about the pair, now. The target is asked for the accounts that the source's shares name."""
    source = _side(ports, settings, Where.SOURCE)
    sids = [sid for share in chosen(settings, source.samba) for sid in share.sids]
    target = _side(ports, settings, Where.TARGET, sids)
    return Inventory(
        taken_at_s=ports.now(),
        source=source,
        target=target,
        paired=paired(ports),
        names=names_of(ports, settings),
        domain=domain_of(ports, settings, account_of(source), account_of(target)),
        witness=witness_of(ports, settings),
    )


def _side(ports: Ports, settings: Settings, where: Where, sids: Sequence[str] = ()) -> SideInventory:
    def ask() -> SideInventory:
        return _with_sharing(engine_side(ports, settings, where), ports, settings, where, sids)

    return or_silent(settings, where, ask)


def keytabs_of(settings: Settings, where: Where) -> list[str]:
    """The keytabs that the target's script needs."""
    if where is not Where.TARGET:
        return []
    return list(dict.fromkeys(path for path, _ in target_keys(settings, "")))


def _with_sharing(
    side: SideInventory, ports: Ports, settings: Settings, where: Where, sids: Sequence[str]
) -> SideInventory:
    conf = settings.failover.samba.conf if settings.failover.samba else SambaSettings().conf
    found = ports.host(where).samba(conf, keytabs_of(settings, where), list(dict.fromkeys(sids)))
    query = Query(f"GET /v1/facts/samba?conf={conf}", side.name, ports.now())
    return msgspec.structs.replace(side, samba=found, queries=side.queries | {"samba": query})
