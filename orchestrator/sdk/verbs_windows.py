"""Verbs about what a Windows server was set to: mending, and putting back what was found."""

from __future__ import annotations

from orchestrator.model.outcomes import GiveUp
from orchestrator.model.steps import Seen
from orchestrator.model.windows import DnsClient, FirewallGroup, FirewallPort, WindowsAsk
from orchestrator.sdk.context import Ports
from orchestrator.sdk.verbs import Found, Given, deed, look

# -- the Server service's options


@look("smb-server-is")
def smb_server_is(ports: Ports, given: Given) -> Seen:
    """Each option has the wanted value."""
    held = ports.host(given["where"]).windows().smb_server
    found = {name: held.get(name) for name in given["options"]}
    says = ", ".join(f"{name} is {value}" for name, value in found.items())
    return Seen(done=found == given["options"], says=says, found={"options": found})


@deed("set-smb-server")
def set_smb_server(ports: Ports, given: Given, found: Found) -> None:
    """Set them, or (in an undo) what was found."""
    options = found.get("options") if given.get("back") else given["options"]
    if options:
        ports.host(given["where"]).call("set_smb_server", {"options": options})


# -- the firewall


def _group(ports: Ports, given: Given) -> FirewallGroup:
    host = ports.host(given["where"])
    known = host.windows(WindowsAsk(firewall_groups=(given["group"],))).firewall
    found = next((one for one in known if one.group == given["group"]), None)
    if found is None or not found.rules:
        raise GiveUp(f"{host.name} has no rules of the group {given['group']}", "look at its firewall by hand")
    return found


@look("firewall-open")
def firewall_open(ports: Ports, given: Given) -> Seen:
    """The group's inbound rules are enabled."""
    group = _group(ports, given)
    says = f"{group.enabled_inbound} inbound rules of {group.display_name or group.group} are enabled"
    return Seen(done=group.enabled_inbound > 0, says=says, found={"enabled": group.enabled_inbound > 0})


@deed("open-firewall")
def open_firewall(ports: Ports, given: Given, _found: Found) -> None:
    """Enable them."""
    ports.host(given["where"]).call("set_firewall_group", {"group": given["group"], "enabled": True})


@deed("close-firewall")
def close_firewall(ports: Ports, given: Given, found: Found) -> None:
    """Disable them, if they were before."""
    if found.get("enabled") is False:
        ports.host(given["where"]).call("set_firewall_group", {"group": given["group"], "enabled": False})


def _port(ports: Ports, given: Given) -> FirewallPort:
    """What the firewall says of the port now."""
    asked = WindowsAsk(firewall_ports=(f"{given['protocol']} {given['port']}",))
    host = ports.host(given["where"])
    found = next((one for one in host.windows(asked).firewall_ports if one.port == given["port"]), None)
    if found is None:
        raise GiveUp(f"{host.name} says nothing of its firewall at {given['port']}", "look at its firewall by hand")
    return found


@look("port-open")
def port_open(ports: Ports, given: Given) -> Seen:
    """Clients are let in there."""
    found = _port(ports, given)
    by = f", by {', '.join(found.rules)}" if found.rules else ""
    return Seen(done=found.open, says=f"{found.protocol} {found.port} is {'open' if found.open else 'closed'}{by}")


@deed("open-port")
def open_port(ports: Ports, given: Given, _found: Found) -> None:
    """Make the rule, under a name of dtam's own."""
    arguments = {"protocol": given["protocol"], "port": given["port"], "open": True}
    ports.host(given["where"]).call("set_firewall_port", arguments)


@deed("close-port")
def close_port(ports: Ports, given: Given, _found: Found) -> None:
    """Remove the rule of that name; those of others stay."""
    arguments = {"protocol": given["protocol"], "port": given["port"], "open": False}
    ports.host(given["where"]).call("set_firewall_port", arguments)


# -- registration in DNS


def _client(ports: Ports, given: Given) -> DnsClient:
    host = ports.host(given["where"])
    found = next((one for one in host.windows().dns_clients if one.interface == given["interface"]), None)
    if found is None:
        raise GiveUp(f"{host.name} has no interface {given['interface']}", "discover it anew: dtam discover")
    return found


@look("dns-registration-is")
def dns_registration_is(ports: Ports, given: Given) -> Seen:
    """The interface registers its addresses by itself, or does not."""
    registers = _client(ports, given).registers
    says = f"{given['interface']} {'registers' if registers else 'does not register'} itself"
    return Seen(done=registers == given["registers"], says=says, found={"registers": registers})


@deed("set-dns-registration")
def set_dns_registration(ports: Ports, given: Given, found: Found) -> None:
    """Set it, or (in an undo) as it was found."""
    registers = found.get("registers") if given.get("back") else given["registers"]
    if registers is not None:
        arguments = {"interface": given["interface"], "registers": registers}
        ports.host(given["where"]).call("set_dns_registration", arguments)


# -- addresses that come back


def _addresses(ports: Ports, given: Given, wanted: str) -> dict[str, str]:
    """The state of each that is its own; those of leases come by themselves."""
    arguments = {"Address": list(given["addresses"]), "Wanted": wanted}
    told = ports.host(given["where"]).call("wake_addresses", arguments, deed=bool(wanted))
    return {str(one["address"]): str(one["state"]) or "off" for one in told if not one["leased"]}


@look("addresses-awake")
def addresses_awake(ports: Ports, given: Given) -> Seen:
    """Each address is in use."""
    states = _addresses(ports, given, "")
    says = ", ".join(f"{address} is {state.lower()}" for address, state in states.items())
    return Seen(done=set(states.values()) <= {"Preferred"}, says=says, found={"states": states})


@deed("wake-addresses")
def wake_addresses(ports: Ports, given: Given, _found: Found) -> None:
    """A duplicate is taken off and put on again, now that nobody else has it."""
    _addresses(ports, given, "used")


@deed("take-addresses-off")
def take_addresses_off(ports: Ports, given: Given, found: Found) -> None:
    """Those that were not in use before, so that the other server can take them again."""
    states = found.get("states", {})
    quiet = [one for one in given["addresses"] if states.get(one["address"]) != "Preferred"]
    if quiet:
        _addresses(ports, {**given, "addresses": quiet}, "off")
