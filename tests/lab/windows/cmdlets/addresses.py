"""Addresses of the machine: Get-, New-, Set-, Remove-NetIPAddress, Get-NetIPConfiguration, Get-NetRoute, Get-NetNeighbor."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from tests.lab.windows.cmdlets.base import as_list, cim, cim_denied, enum, over_machine, record, texts, wanted
from tests.lab.windows.machine.network import ADDRESS_CLASS
from tests.lab.windows.machine.refusals import Refused, cim_error, no_cim_object
from tests.lab.windows.powershell.commands import Call
from tests.lab.windows.powershell.values import Byte, PsObject, UInt16, UInt32

NAMESPACE = "ROOT/StandardCimv2"
TYPES = "Microsoft.PowerShell.Cmdletization.GeneratedTypes.NetIPAddress."
STATES = {"Invalid": 0, "Tentative": 1, "Duplicate": 2, "Deprecated": 3, "Preferred": 4}
ORIGINS = {"Other": 0, "Manual": 1, "WellKnown": 2, "Dhcp": 3, "RouterAdvertisement": 4}
FAMILIES = {"IPv4": 2, "IPv6": 23}
LOOPBACK = {
    "adapter": "Loopback Pseudo-Interface 1",
    "address": "127.0.0.1",
    "prefix": 8,
    "skip": False,
    "origin": "WellKnown",
}
MAX_SPAN = timedelta(days=10675199)


def family(address: str) -> str:
    """IPv4 or IPv6."""
    return "IPv6" if ":" in address else "IPv4"


def address_object(call: Call, one: dict[str, Any]) -> PsObject:
    """A MSFT_NetIPAddress."""
    loop = one is LOOPBACK
    items = {
        "AddressFamily": enum(f"{TYPES}AddressFamily", family(one["address"]), FAMILIES),
        "AddressState": enum(f"{TYPES}AddressState", "Preferred" if loop else call.machine.network.state(one), STATES),
        "IPAddress": one["address"],
        "IPv4Address": one["address"] if "." in one["address"] else None,
        "IPv6Address": one["address"] if ":" in one["address"] else None,
        "InterfaceAlias": one["adapter"],
        "InterfaceIndex": UInt32(1 if loop else call.machine.network.adapter(one["adapter"])["index"]),
        "PreferredLifetime": MAX_SPAN,
        "PrefixLength": Byte(one["prefix"]),
        "PrefixOrigin": enum(f"{TYPES}PrefixOrigin", one["origin"], ORIGINS),
        "SkipAsSource": one["skip"],
        "Store": "ActiveStore",
        "SuffixOrigin": enum(f"{TYPES}SuffixOrigin", one["origin"], ORIGINS),
        "Type": enum(f"{TYPES}Type", "Unicast", {"Unicast": 1, "Anycast": 2}),
        "ValidLifetime": MAX_SPAN,
    }
    items["ifIndex"] = items["InterfaceIndex"]
    return cim("MSFT_NetIPAddress", items, NAMESPACE, one["address"])


def chosen(call: Call) -> list[dict[str, Any]]:
    """The addresses that the parameters name; an error for a named one that is not there."""
    network = call.machine.network
    if call.has("InputObject"):
        named = [
            (str(one.get("IPAddress")), str(one.get("InterfaceAlias"))) for one in as_list(call.get("InputObject"))
        ]
        return [one for one in network.addresses() if (one["address"], one["adapter"]) in named]
    found = []
    for one in [*network.addresses(), LOOPBACK]:
        index = 1 if one is LOOPBACK else network.adapter(one["adapter"])["index"]
        state = "Preferred" if one is LOOPBACK else network.state(one)
        asked = (
            ("IPAddress", one["address"]), ("InterfaceAlias", one["adapter"]), ("InterfaceIndex", index), ("AddressFamily", family(one["address"])),
            ("AddressState", state), ("PrefixLength", one["prefix"]), ("PrefixOrigin", one["origin"]), ("SkipAsSource", one["skip"]),
        )  # fmt: skip
        if all(wanted(call, name, value) for name, value in asked):
            found.append(one)
    if not found:
        for name in ("IPAddress", "InterfaceAlias", "InterfaceIndex"):
            if call.has(name):
                for value in texts(call.get(name))[:1]:
                    call.error(record(no_cim_object("MSFT_NetIPAddress", name, value)))
                break
    return found


@over_machine("Get-NetIPAddress", denied=cim_denied(ADDRESS_CLASS))
def get_net_ip_address(call: Call) -> Iterator[Any]:
    """The addresses."""
    for one in chosen(call):
        yield address_object(call, one)


def adapter_of(call: Call) -> dict[str, Any]:
    """The adapter of -InterfaceAlias or -InterfaceIndex."""
    network = call.machine.network
    if call.has("InterfaceIndex"):
        found: dict[str, Any] = network.by_index(int(call.get("InterfaceIndex")))
        return found
    alias = str(call.get("InterfaceAlias"))
    for one in network.data["adapters"]:
        if one["name"].lower() == alias.lower():
            return dict(one)
    raise no_cim_object("MSFT_NetIPInterface", "InterfaceAlias", alias)


@over_machine("New-NetIPAddress", changes=True, denied=cim_denied(ADDRESS_CLASS))
def new_net_ip_address(call: Call) -> Iterator[Any]:
    """Give an adapter one more address; it is Tentative until nobody else was found to have it."""
    address = str(call.get("IPAddress"))
    prefix = int(call.get("PrefixLength", 128 if ":" in address else 32))
    if call.has("AddressFamily") and str(call.get("AddressFamily")) != family(address):
        raise cim_error(87, ADDRESS_CLASS)
    card = adapter_of(call)
    if not call.should_process("NetIPAddress", f"New {address}"):
        return
    persistent = str(call.get("PolicyStore", "PersistentStore")).lower() != "activestore"
    gateway = str(call.get("DefaultGateway")) if call.has("DefaultGateway") else None
    made = call.machine.network.add(
        card["name"],
        address,
        prefix,
        skip=bool(call.get("SkipAsSource", False)),
        gateway=gateway,
        persistent=persistent,
    )
    yield address_object(call, made)


@over_machine("Set-NetIPAddress", changes=True, denied=cim_denied(ADDRESS_CLASS))
def set_net_ip_address(call: Call) -> Iterator[Any]:
    """Change prefix and SkipAsSource."""
    changes: dict[str, Any] = {}
    for name, key in (("PrefixLength", "prefix"), ("SkipAsSource", "skip")):
        if call.has(name):
            changes[key] = call.bound.pop(name)
    for one in chosen(call):
        if one is not LOOPBACK and call.should_process("NetIPAddress", f"Set {one['address']}"):
            call.machine.network.change(
                one, **{key: int(v) if key == "prefix" else bool(v) for key, v in changes.items()}
            )
            if call.switch("PassThru"):
                yield address_object(call, one)


@over_machine("Remove-NetIPAddress", changes=True, denied=cim_denied(ADDRESS_CLASS), impact="High")
def remove_net_ip_address(call: Call) -> Iterator[Any]:
    """Take addresses off."""
    for one in chosen(call):
        if one is not LOOPBACK and call.should_process("NetIPAddress", f"Remove {one['address']}"):
            made = address_object(call, one)
            call.machine.network.remove(one)
            if call.switch("PassThru"):
                yield made


@over_machine("Get-NetIPConfiguration")
def get_net_ip_configuration(call: Call) -> Iterator[Any]:
    """Adapters with addresses, gateways and DNS servers."""
    for card in call.machine.network.data["adapters"]:
        if not (wanted(call, "InterfaceAlias", card["name"]) and wanted(call, "InterfaceIndex", card["index"])):
            continue
        if not card["enabled"] and not call.switch("All"):
            continue
        own = [address_object(call, one) for one in call.machine.network.addresses(card["name"])]
        items = {
            "InterfaceAlias": card["name"],
            "InterfaceIndex": UInt32(card["index"]),
            "InterfaceDescription": card["description"],
            "IPv4Address": [one for one in own if one.get("IPv4Address")],
            "IPv6Address": [one for one in own if one.get("IPv6Address")],
            "IPv4DefaultGateway": [_route(call, card, one) for one in card["gateways"]],
            "DNSServer": [
                cim(
                    "MSFT_DNSClientServerAddress", {"ServerAddresses": list(card["dns"]), "AddressFamily": 2}, NAMESPACE
                )
            ],
        }
        yield cim("NetIPConfiguration", items, NAMESPACE)


def _route(call: Call, card: dict[str, Any], gateway: str, prefix: str | None = None) -> PsObject:
    items = {
        "DestinationPrefix": prefix or ("::/0" if ":" in gateway else "0.0.0.0/0"),
        "InterfaceAlias": card["name"],
        "InterfaceIndex": UInt32(card["index"]),
        "NextHop": gateway,
        "AddressFamily": enum(f"{TYPES}AddressFamily", family(gateway), FAMILIES),
        "RouteMetric": 256,
        "ifIndex": UInt32(card["index"]),
    }
    return cim("MSFT_NetRoute", items, NAMESPACE, gateway)


def _on_link(call: Call, card: dict[str, Any]) -> Iterator[PsObject]:
    """The adapter's own subnets and addresses, as the routing table has them."""
    for one in call.machine.network.addresses(card["name"]):
        if call.machine.network.state(one) != "Preferred":
            continue
        own = ipaddress.ip_interface(f"{one['address']}/{one['prefix']}")
        next_hop, whole = ("::", 128) if own.version == 6 else ("0.0.0.0", 32)
        prefixes = dict.fromkeys([str(own.network), f"{own.ip}/{whole}"])
        if own.version == 4 and own.network.prefixlen < 31:
            prefixes[f"{own.network.broadcast_address}/32"] = None
        yield from [_route(call, card, next_hop, prefix) for prefix in prefixes]


@over_machine("Get-NetRoute")
def get_net_route(call: Call) -> Iterator[Any]:
    """The routing table: default routes and what lies on the wire."""
    found = False
    for card in call.machine.network.data["adapters"]:
        for one in [*[_route(call, card, gateway) for gateway in card["gateways"]], *_on_link(call, card)]:
            names = ("DestinationPrefix", "InterfaceAlias", "InterfaceIndex", "NextHop", "AddressFamily")
            if card["enabled"] and all(wanted(call, name, one.get(name)) for name in names):
                found = True
                yield one
    for name in ("DestinationPrefix", "InterfaceAlias", "InterfaceIndex", "NextHop"):
        if not found and call.has(name):
            call.error(record(no_cim_object("MSFT_NetRoute", name, texts(call.get(name))[0])))
            break


@over_machine("Get-NetTCPConnection")
def get_net_tcp_connection(call: Call) -> Iterator[Any]:
    """Ports on which services listen."""
    ports = {"RpcEptMapper": 135, "LanmanServer": 445, "WinRM": 5985, "TermService": 3389}
    for service, port in ports.items():
        pid = call.machine.services.state(service).pid
        if (
            call.machine.services.is_running(service)
            and wanted(call, "LocalPort", port)
            and wanted(call, "State", "Listen")
        ):
            items = {
                "LocalAddress": "::",
                "LocalPort": UInt16(port),
                "RemoteAddress": "::",
                "RemotePort": UInt16(0),
                "State": "Listen",
            }
            yield cim(
                "MSFT_NetTCPConnection", items | {"OwningProcess": UInt32(4 if port in {445, 5985} else pid)}, NAMESPACE
            )


@over_machine("Get-NetNeighbor")
def get_net_neighbor(call: Call) -> Iterator[Any]:
    """Who is known on the wire: of a named address, whether somebody else has it."""
    answers = call.machine.hooks.answers
    for address in texts(call.get("IPAddress")):
        if not (answers and answers(address)):
            call.error(record(no_cim_object("MSFT_NetNeighbor", "IPAddress", address)))
            continue
        items = {
            "IPAddress": address,
            "LinkLayerAddress": "00-15-5D-00-00-01",
            "State": "Reachable",
            "InterfaceIndex": UInt32(4),
        }
        yield cim("MSFT_NetNeighbor", items, NAMESPACE)


@over_machine("Remove-NetNeighbor", changes=True, denied=cim_denied(ADDRESS_CLASS), impact="High")
def remove_net_neighbor(call: Call) -> None:
    """Forget a neighbour; the model remembers none, it asks the wire each time."""
    answers = call.machine.hooks.answers
    for address in texts(call.get("IPAddress")):
        if not (answers and answers(address)):
            call.error(record(no_cim_object("MSFT_NetNeighbor", "IPAddress", address)))
        else:
            call.should_process("NetNeighbor", f"Remove {address}")


@over_machine("Get-NetIPInterface")
def get_net_ip_interface(call: Call) -> Iterator[Any]:
    """The interfaces, once for each family."""
    found = False
    for card in call.machine.network.data["adapters"]:
        for name in FAMILIES:
            dhcp = "Enabled" if card["dhcp"] and name == "IPv4" else "Disabled"
            asked = (
                ("InterfaceAlias", card["name"]),
                ("InterfaceIndex", card["index"]),
                ("AddressFamily", name),
                ("Dhcp", dhcp),
            )
            if not all(wanted(call, parameter, value) for parameter, value in asked):
                continue
            found = True
            items = {
                "InterfaceAlias": card["name"],
                "InterfaceIndex": UInt32(card["index"]),
                "ifIndex": UInt32(card["index"]),
                "AddressFamily": enum(f"{TYPES}AddressFamily", name, FAMILIES),
                "Dhcp": enum(f"{TYPES}Dhcp", dhcp, {"Disabled": 0, "Enabled": 1}),
                "ConnectionState": enum(
                    f"{TYPES}ConnectionState",
                    "Connected" if card["enabled"] else "Disconnected",
                    {"Disconnected": 0, "Connected": 1},
                ),
                "NlMtu": UInt32(1500),
                "InterfaceMetric": UInt32(15),
            }
            yield cim("MSFT_NetIPInterface", items, NAMESPACE)
    for name in ("InterfaceAlias", "InterfaceIndex"):
        if not found and call.has(name):
            call.error(record(no_cim_object("MSFT_NetIPInterface", name, texts(call.get(name))[0])))
            break


@over_machine("Test-Connection", error_class="Microsoft.PowerShell.Commands.TestConnectionCommand")
def test_connection(call: Call) -> Iterator[Any]:
    """Echo requests: own addresses and names answer, and what the lab's wire says."""
    answers = call.machine.hooks.answers
    for name in texts(call.get("ComputerName")):
        own = name.lower() in {
            "localhost",
            "127.0.0.1",
            call.machine.computer.name.lower(),
            call.machine.computer.fqdn.lower(),
            *call.machine.network.own(),
        }
        try:
            address = (
                "127.0.0.1"
                if own
                else next((one.get("IPAddress") for one in call.machine.network.resolve(name, "A", None)), None)
            )
        except Refused:
            address = name if name.replace(".", "").isdigit() else None
        reached = own or bool(address and answers and answers(str(address)))
        if call.switch("Quiet"):
            yield reached
        elif not reached:
            why = "No such host is known" if address is None else "Error due to lack of resources"
            message = f"Testing connection to computer '{name}' failed: {why}"
            exception = "System.Net.NetworkInformation.PingException"
            call.error(record(Refused(message, "TestConnectionException", "ResourceUnavailable", exception, name)))
        else:
            for _ in range(int(call.get("Count", 4))):
                yield cim(
                    "Win32_PingStatus",
                    {"Address": name, "IPV4Address": address, "ResponseTime": UInt32(0), "StatusCode": UInt32(0)},
                )
