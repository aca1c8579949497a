"""Ask both Windows servers, the names and the witness what a file server's protection needs to know. A silent one is a fact, no error."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.model.inventory import Inventory, SideInventory
from orchestrator.model.servers import Where
from orchestrator.model.settings import Settings
from orchestrator.model.windows import RegistryAsk, WindowsAsk
from orchestrator.sdk.asking import domain_of, names_of, witness_of
from orchestrator.sdk.asking_hosts import or_silent, windows_side
from orchestrator.sdk.context import Ports
from orchestrator.sdk.sides import account_of
from plugins.fileserver.windows import sharing

SERVER_KEY = r"HKLM:\SYSTEM\CurrentControlSet\Services\LanmanServer\Parameters"
LOOPBACK_KEY = r"HKLM:\SYSTEM\CurrentControlSet\Control\Lsa\MSV1_0"
TCPIP_KEY = r"HKLM:\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters"
SMB_IN = "@FirewallAPI.dll,-28502"
"""File and Printer Sharing, by the name that is the same in every language."""

REGISTRY = (
    RegistryAsk(SERVER_KEY, "OptionalNames"),
    RegistryAsk(SERVER_KEY, "SrvAllowedServerNames"),
    RegistryAsk(SERVER_KEY, "DisableStrictNameChecking"),
    RegistryAsk(LOOPBACK_KEY, "BackConnectionHostNames"),
    RegistryAsk(TCPIP_KEY, "DisableDynamicUpdate"),
)
MODULES = ("SmbShare", "NetTCPIP", "NetSecurity")


def inventory(ports: Ports, settings: Settings) -> Inventory:
    """Everything about the pair, now. The target is asked for the accounts that the source's shares name."""
    source = _side(ports, settings, Where.SOURCE)
    sids = [sid for share in sharing.chosen(settings, source.windows) for sid in share.sids]
    target = _side(ports, settings, Where.TARGET, list(dict.fromkeys(sids)))
    return Inventory(
        taken_at_s=ports.now(),
        source=source,
        target=target,
        names=names_of(ports, settings),
        domain=domain_of(ports, settings, account_of(source), account_of(target)),
        witness=witness_of(ports, settings),
    )


def asked(settings: Settings, sids: Sequence[str] = ()) -> WindowsAsk:
    """What is asked of a host beyond the usual."""
    replica = ("StorageReplica",) if settings.connection.replication == "storage_replica" else ()
    return WindowsAsk(registry=REGISTRY, firewall_groups=(SMB_IN,), sids=tuple(sids), modules=(*MODULES, *replica))


def _side(ports: Ports, settings: Settings, where: Where, sids: Sequence[str] = ()) -> SideInventory:
    return or_silent(settings, where, lambda: windows_side(ports, settings, where, asked(settings, sids)))
