"""Adapters and the DNS client: Get-/Enable-/Disable-/Rename-/Restart-NetAdapter, Get-/Set-DnsClient, Resolve-DnsName, Test-NetConnection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.lab.windows.cmdlets.base import as_list, cim, cim_denied, over_machine, record, texts, wanted
from tests.lab.windows.machine.refusals import Refused, no_cim_object
from tests.lab.windows.powershell.commands import Call
from tests.lab.windows.powershell.values import PsObject, UInt32, custom

NAMESPACE = "ROOT/StandardCimv2"
CLIENT_CLASS = "MSFT_DNSClient:ROOT/StandardCimv2/MSFT_DNSClient"
ADAPTER_CLASS = "MSFT_NetAdapter:ROOT/StandardCimv2/MSFT_NetAdapter"
PORTS = {"HTTP": 80, "RDP": 3389, "SMB": 445, "WINRM": 5985}


def _cards(call: Call, key: str, class_name: str) -> Iterator[dict[str, Any]]:
    """The adapters named by ``key``, -InterfaceIndex or -InputObject."""
    cards = call.machine.network.data["adapters"]
    if call.has("InputObject"):
        indexes = [int(one.get("InterfaceIndex")) for one in as_list(call.get("InputObject"))]
        yield from [card for card in cards if card["index"] in indexes]
        return
    asked = ((key, "name"), ("InterfaceIndex", "index"), ("InterfaceDescription", "description"))
    found = [card for card in cards if all(wanted(call, name, card[held]) for name, held in asked)]
    for name in (key, "InterfaceIndex", "InterfaceDescription"):
        if not found and call.has(name):
            call.error(record(no_cim_object(class_name, name, texts(call.get(name))[0])))
    yield from found


def adapter_object(card: dict[str, Any]) -> PsObject:
    """A MSFT_NetAdapter."""
    items = {
        "Name": card["name"],
        "InterfaceAlias": card["name"],
        "InterfaceDescription": card["description"],
        "InterfaceIndex": UInt32(card["index"]),
        "ifIndex": UInt32(card["index"]),
        "InterfaceGuid": card["guid"],
        "MacAddress": card["mac"],
        "Status": "Up" if card["enabled"] else "Disabled",
        "AdminStatus": "Up" if card["enabled"] else "Down",
        "MediaConnectionState": "Connected" if card["enabled"] else "Unknown",
        "LinkSpeed": "10 Gbps",
        "Virtual": False,
        "Hidden": False,
    }
    return cim("MSFT_NetAdapter", items, NAMESPACE)


@over_machine("Get-NetAdapter")
def get_net_adapter(call: Call) -> Iterator[Any]:
    """The adapters."""
    for card in _cards(call, "Name", "MSFT_NetAdapter"):
        if wanted(call, "InterfaceDescription", card["description"]):
            yield adapter_object(card)


@over_machine(
    "Enable-NetAdapter",
    "Disable-NetAdapter",
    "Restart-NetAdapter",
    "Rename-NetAdapter",
    changes=True,
    denied=cim_denied(ADAPTER_CLASS),
    impact="High",
)
def change_net_adapter(call: Call) -> Iterator[Any]:
    """Switch an adapter on or off, or rename it; its connections are cut."""
    verb = call.name.split("-")[0]
    for card in list(_cards(call, "Name", "MSFT_NetAdapter")):
        if not call.should_process(card["name"], f"{verb}-NetAdapter"):
            continue
        if verb == "Rename":
            call.machine.network.change_adapter(card["name"], name=str(call.get("NewName")))
        else:
            for enabled in {"Enable": [True], "Disable": [False], "Restart": [False, True]}[verb]:
                call.machine.network.change_adapter(card["name"], enabled=enabled)
        if call.switch("PassThru"):
            yield adapter_object(card)


def _client_object(card: dict[str, Any]) -> PsObject:
    items = {
        "InterfaceAlias": card["name"],
        "InterfaceIndex": UInt32(card["index"]),
        "ConnectionSpecificSuffix": card["suffix"],
        "ConnectionSpecificSuffixSearchList": [],
        "RegisterThisConnectionsAddress": card["register"],
        "UseSuffixWhenRegistering": card["use_suffix"],
    }
    return cim("MSFT_DNSClient", items, NAMESPACE)


@over_machine("Get-DnsClient")
def get_dns_client(call: Call) -> Iterator[Any]:
    """How each adapter registers."""
    for card in _cards(call, "InterfaceAlias", "MSFT_DNSClient"):
        if wanted(call, "RegisterThisConnectionsAddress", card["register"]):
            yield _client_object(card)


@over_machine("Set-DnsClient", changes=True, denied=cim_denied(CLIENT_CLASS))
def set_dns_client(call: Call) -> Iterator[Any]:
    """Change that."""
    changes: dict[str, Any] = {}
    if call.has("RegisterThisConnectionsAddress"):
        changes["register"] = bool(call.get("RegisterThisConnectionsAddress"))
    if call.has("UseSuffixWhenRegistering"):
        changes["use_suffix"] = bool(call.get("UseSuffixWhenRegistering"))
    if call.has("ConnectionSpecificSuffix"):
        changes["suffix"] = str(call.get("ConnectionSpecificSuffix"))
    if call.switch("ResetConnectionSpecificSuffix"):
        changes["suffix"] = ""
    for card in list(_cards(call, "InterfaceAlias", "MSFT_DNSClient")):
        if call.should_process(card["name"], "Set-DnsClient"):
            call.machine.network.change_adapter(card["name"], **changes)
            if call.switch("PassThru"):
                yield _client_object(card)


@over_machine("Get-DnsClientServerAddress")
def get_dns_client_server_address(call: Call) -> Iterator[Any]:
    """The DNS servers of each adapter, once for each family."""
    for card in _cards(call, "InterfaceAlias", "MSFT_DNSClientServerAddress"):
        for name, number, mark in (("IPv4", 2, "."), ("IPv6", 23, ":")):
            if wanted(call, "AddressFamily", name):
                servers = [one for one in card["dns"] if mark in one]
                items = {
                    "InterfaceAlias": card["name"],
                    "InterfaceIndex": UInt32(card["index"]),
                    "AddressFamily": number,
                    "ServerAddresses": servers,
                }
                yield cim("MSFT_DNSClientServerAddress", items, NAMESPACE)


@over_machine("Set-DnsClientServerAddress", changes=True, denied=cim_denied(CLIENT_CLASS))
def set_dns_client_server_address(call: Call) -> None:
    """Set or reset the DNS servers."""
    for card in list(_cards(call, "InterfaceAlias", "MSFT_DNSClientServerAddress")):
        if call.should_process(card["name"], "Set-DnsClientServerAddress"):
            servers = [] if call.switch("ResetServerAddresses") else texts(call.get("ServerAddresses"))
            call.machine.network.change_adapter(card["name"], dns=servers)


@over_machine("Clear-DnsClientCache", changes=True, denied=cim_denied(CLIENT_CLASS))
def clear_dns_client_cache(call: Call) -> None:
    """Forget what was resolved; the model keeps nothing."""
    call.should_process("DNS client cache", "Clear")


@over_machine("Register-DnsClient", changes=True, denied=cim_denied(CLIENT_CLASS))
def register_dns_client(call: Call) -> None:
    """Write the machine's addresses into DNS, by the lab's hook."""
    if call.should_process("DNS client", "Register") and call.machine.hooks.register_names:
        call.machine.hooks.register_names(call.machine)


@over_machine("Resolve-DnsName", error_class="Microsoft.DnsClient.Commands.ResolveDnsName")
def resolve_dns_name(call: Call) -> Iterator[Any]:
    """Records of a name."""
    name, kind = str(call.get("Name")), str(call.get("Type", "A_AAAA"))
    servers = texts(call.get("Server")) or [None]  # type: ignore[list-item]
    hosts_file = not call.switch("NoHostsFile") and not call.switch("DnsOnly")
    for found in call.machine.network.resolve(name, kind, servers[0], hosts_file=hosts_file):
        items = {
            "Name": found.get("Name", name),
            "Type": found["Type"],
            "TTL": UInt32(found.get("TTL", 1200)),
            "Section": "Answer",
        }
        items |= {key: value for key, value in found.items() if key not in items}
        for key, short in (("IPAddress", "IP4Address" if found["Type"] == "A" else "IP6Address"),):
            if key in found:
                items[short] = found[key]
        made = custom(items)
        made.type_names = (
            f"Microsoft.DnsClient.Commands.DnsRecord_{found['Type']}",
            "Microsoft.DnsClient.Commands.DnsRecord",
            "System.Object",
        )
        yield made


@over_machine("Test-NetConnection")
def test_net_connection(call: Call) -> Iterator[Any]:
    """Whether a port answers, by the lab's wire; without one nothing does."""
    computer = str(call.get("ComputerName", "internetbeacon.msedge.net"))
    port = PORTS[str(call.get("CommonTCPPort")).upper()] if call.has("CommonTCPPort") else int(call.get("Port", 0))
    try:
        address = next((one.get("IPAddress") for one in call.machine.network.resolve(computer, "A_AAAA", None)), None)
    except Refused:
        address = computer if computer.replace(".", "").isdigit() else None
    if address is None:
        call.warning(f"Name resolution of {computer} failed")
    connect = call.machine.hooks.connect
    worked = bool(address and connect and connect(str(address), port or 445))
    if str(call.get("InformationLevel", "")).lower() == "quiet":
        yield worked
        return
    if port and not worked and address:
        call.warning(f"TCP connect to ({address} : {port}) failed")
    items: dict[str, Any] = {
        "ComputerName": computer,
        "RemoteAddress": address,
        "RemotePort": UInt32(port),
        "InterfaceAlias": "Ethernet",
    }
    items |= {"SourceAddress": next(iter(call.machine.network.own()), None)}
    items |= {"TcpTestSucceeded": worked} if port else {"PingSucceeded": worked}
    made = custom(items)
    made.type_names = ("NetTCPIP.TestNetConnectionResult", "System.Object")
    yield made
