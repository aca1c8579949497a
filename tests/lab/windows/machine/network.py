"""Adapters and their addresses; an address may be put on a real interface of the lab."""

from __future__ import annotations

import ipaddress
import uuid
from typing import Any

from tests.lab.windows.machine.part import Part
from tests.lab.windows.machine.refusals import Refused, cim_error, no_cim_object

ADDRESS_CLASS = "MSFT_NetIPAddress:ROOT/StandardCimv2/MSFT_NetIPAddress"
DETECTION_S = 1.0
INTERFACES = r"SYSTEM\CurrentControlSet\Services\Tcpip\Parameters\Interfaces"


class Network(Part):
    """What the machine has of the network."""

    file = "network"

    def fresh(self) -> dict[str, Any]:
        settings = self.machine.settings
        adapters = [self._adapter(name, 2 * at + 4) for at, name in enumerate(settings.adapters)]
        addresses = [
            {
                "adapter": one.adapter,
                "address": one.address,
                "prefix": one.prefix_length,
                "skip": False,
                "origin": "Manual",
            }
            for one in settings.addresses
        ]
        if settings.gateway and adapters:
            adapters[0]["gateways"] = [settings.gateway]
        return {"adapters": adapters, "addresses": addresses}

    def _adapter(self, name: str, index: int) -> dict[str, Any]:
        return {
            "name": name,
            "index": index,
            "guid": "{" + str(uuid.uuid4()).upper() + "}",
            "mac": "00-15-5D-" + "-".join(f"{byte:02X}" for byte in uuid.uuid4().bytes[:3]),
            "description": "Microsoft Hyper-V Network Adapter" + ("" if index == 4 else f" #{(index - 2) // 2}"),
            "enabled": True,
            "dhcp": False,
            "gateways": [],
            "dns": list(self.machine.settings.dns_servers),
            "register": True,
            "use_suffix": False,
            "suffix": "",
        }

    def power_on(self) -> None:
        self._states: dict[str, tuple[str, float]] = {}

    def boot(self) -> None:
        """Put the addresses on; each is looked for on the wire first."""
        for one in self.data["addresses"]:
            self._put(one)
        for adapter in self.data["adapters"]:
            self._mirror(adapter)

    def power_off(self) -> None:
        """The wire goes dead."""
        for one in self.data["addresses"]:
            if self.machine.hooks.take_address and self.adapter(one["adapter"])["enabled"]:
                self.machine.hooks.take_address(one["adapter"], one["address"], one["prefix"])

    def own(self) -> list[str]:
        """The addresses in use."""
        return [one["address"] for one in self.data["addresses"] if self.state(one) == "Preferred"]

    def adapter(self, name: str) -> dict[str, Any]:
        """By its name; refused when there is none."""
        found = next((one for one in self.data["adapters"] if one["name"].lower() == name.lower()), None)
        if found is None:
            raise no_cim_object("MSFT_NetAdapter", "Name", name)
        return found

    def by_index(self, index: int) -> dict[str, Any]:
        """By its interface index."""
        found = next((one for one in self.data["adapters"] if one["index"] == index), None)
        if found is None:
            raise no_cim_object("MSFT_NetIPInterface", "InterfaceIndex", index)
        return found

    def addresses(self, adapter: str | None = None) -> list[dict[str, Any]]:
        """All of them, or those of one adapter."""
        return [one for one in self.data["addresses"] if adapter is None or one["adapter"].lower() == adapter.lower()]

    def state(self, address: dict[str, Any]) -> str:
        """Tentative while it is looked for on the wire, then Preferred or Duplicate."""
        if not self.adapter(address["adapter"])["enabled"]:
            return "Invalid"
        what, since = self._states.get(address["address"], ("Tentative", 0.0))
        if what == "Tentative" and self.machine.now() - since >= DETECTION_S:
            what = "Duplicate" if self._elsewhere(address["address"]) else "Preferred"
            self._states[address["address"]] = (what, since)
            if what == "Preferred" and self.machine.hooks.put_address:
                self.machine.hooks.put_address(address["adapter"], address["address"], address["prefix"])
        return what

    def _elsewhere(self, address: str) -> bool:
        return bool(self.machine.hooks.answers and self.machine.hooks.answers(address))

    def _put(self, address: dict[str, Any]) -> None:
        if self.adapter(address["adapter"])["enabled"]:
            self._states[address["address"]] = ("Tentative", self.machine.now())

    def add(
        self,
        adapter: str,
        address: str,
        prefix: int,
        *,
        skip: bool = False,
        gateway: str | None = None,
        persistent: bool = True,
    ) -> dict[str, Any]:
        """Give the adapter one more address.

        Raises:
            Refused: not an address (87), a prefix out of range (87), there already (5010), the adapter's DHCP is on (87).
        """
        card = self.adapter(adapter)
        try:
            text = str(ipaddress.ip_address(address))
            network = ipaddress.ip_interface(f"{text}/{prefix}").network
        except ValueError as why:
            raise cim_error(
                87, ADDRESS_CLASS, f"Invalid parameter IPAddress {address}" if "/" not in str(why) else None
            ) from why
        if any(one["address"] == text for one in self.data["addresses"]):
            raise cim_error(5010, ADDRESS_CLASS, "The object already exists.")
        if network.network_address.is_multicast or ipaddress.ip_address(text).is_unspecified:
            raise cim_error(87, ADDRESS_CLASS, f"Invalid parameter IPAddress {address}")
        if card["dhcp"] and persistent:
            message = "Inconsistent parameters PolicyStore PersistentStore and Dhcp Enabled"
            raise cim_error(87, ADDRESS_CLASS, message)
        if gateway and card["gateways"]:
            raise cim_error(87, ADDRESS_CLASS, "Instance DefaultGateway already exists")  # text not confirmed
        if (
            text in {str(network.network_address), str(network.broadcast_address)}
            and network.prefixlen < 31
            and network.version == 4
        ):
            raise cim_error(87, ADDRESS_CLASS)
        made = {
            "adapter": card["name"],
            "address": text,
            "prefix": prefix,
            "skip": skip,
            "origin": "Manual",
            "persistent": persistent,
        }
        self.data["addresses"].append(made)
        if gateway:
            card["gateways"] = [gateway]
        self._put(made)
        self._store(card)
        return made

    def remove(self, address: dict[str, Any]) -> None:
        """Take an address off; a connection over it is cut."""
        if self.state(address) == "Preferred" and self.machine.hooks.take_address:
            self.machine.hooks.take_address(address["adapter"], address["address"], address["prefix"])
        self._states.pop(address["address"], None)
        self.data["addresses"].remove(address)
        self._store(self.adapter(address["adapter"]))

    def change(self, address: dict[str, Any], **changes: Any) -> None:
        """Change prefix or SkipAsSource."""
        address.update(changes)
        self._store(self.adapter(address["adapter"]))

    def change_adapter(self, name: str, /, **changes: Any) -> None:
        """Change what belongs to the adapter: enabled, register, dns, gateways, suffix, name."""
        card = self.adapter(name)
        was = card["enabled"]
        if was and not changes.get("enabled", True):
            self._off(card)
        new_name = changes.get("name", card["name"])
        for one in self.addresses(card["name"]):
            one["adapter"] = new_name
        card.update(changes)
        if not was and card["enabled"]:
            for one in self.addresses(card["name"]):
                self._put(one)
        self._store(card)

    def _off(self, card: dict[str, Any]) -> None:
        for one in self.addresses(card["name"]):
            if self.state(one) == "Preferred" and self.machine.hooks.take_address:
                self.machine.hooks.take_address(one["adapter"], one["address"], one["prefix"])
            self._states.pop(one["address"], None)

    def tick(self, now: float) -> None:  # noqa: ARG002 - each part looks at the machine's own clock
        """End the search for duplicates where its time is over."""
        for one in self.data["addresses"]:
            self.state(one)

    def _store(self, card: dict[str, Any]) -> None:
        self._mirror(card)
        kept = [one for one in self.data["addresses"] if one.get("persistent", True)]
        self.machine.store.save(self.file, self.data | {"addresses": kept})

    def _mirror(self, card: dict[str, Any]) -> None:
        own = self.addresses(card["name"])
        put = self.machine.registry.put
        key = rf"{INTERFACES}\{card['guid'].lower()}"
        put(key, "EnableDHCP", "DWord", int(card["dhcp"]))
        put(key, "IPAddress", "MultiString", [one["address"] for one in own if "." in one["address"]])
        masks = [
            str(ipaddress.ip_interface(f"{one['address']}/{one['prefix']}").netmask)
            for one in own
            if "." in one["address"]
        ]
        put(key, "SubnetMask", "MultiString", masks)
        put(key, "NameServer", "String", ",".join(card["dns"]))
        put(key, "RegistrationEnabled", "DWord", int(card["register"]))

    def registers(self) -> list[str]:
        """The addresses that the DHCP Client service writes into DNS: of adapters that register, not those that are skipped as source."""
        parameters = r"SYSTEM\CurrentControlSet\Services\Tcpip\Parameters"
        if self.machine.registry.value(parameters, "DisableDynamicUpdate", 0):
            return []
        cards = {one["name"] for one in self.data["adapters"] if one["register"] and one["enabled"]}
        return [
            one["address"]
            for one in self.data["addresses"]
            if one["adapter"] in cards and not one["skip"] and self.state(one) == "Preferred"
        ]

    def resolve(self, name: str, kind: str, server: str | None, *, hosts_file: bool = True) -> list[dict[str, Any]]:
        """Records of a name: the hosts file first, then the lab's resolver; refused when there are none (9003)."""
        if hosts_file and kind in {"A", "A_AAAA", "AAAA"}:
            found = self._of_hosts(name)
            if found:
                return found
        records = list(self.machine.hooks.resolve(name, kind, server)) if self.machine.hooks.resolve else []
        if not records:
            message = f"{name} : DNS name does not exist"
            raise Refused(
                message,
                "DNS_ERROR_RCODE_NAME_ERROR",
                "ResourceUnavailable",
                "System.ComponentModel.Win32Exception",
                name,
                9003,
            )
        return [dict(one) for one in records]

    def _of_hosts(self, name: str) -> list[dict[str, Any]]:
        path = self.machine.files.open_path(r"C:\Windows\System32\drivers\etc\hosts")
        found = []
        for line in path.read_text(errors="replace").splitlines() if path.exists() else []:
            address, *names = line.split("#")[0].split() or [""]
            if name.lower().rstrip(".") in (one.lower() for one in names):
                found.append(
                    {"Name": name, "Type": "AAAA" if ":" in address else "A", "TTL": 86400, "IPAddress": address}
                )
        return found
