"""A directory, a host's programs and a network for unit tests: in memory, with the rules that the real ones were seen to have."""

# ruff: noqa: ARG002, ANN002, ANN204  fakes have the shape of the ports

from __future__ import annotations

import json
from dataclasses import dataclass, field
from ipaddress import ip_interface

from orchestrator.directory.errors import AccountMissing, ControllerUnreachable, SpnNotUnique, ValueChanged
from orchestrator.directory.port import Add, Delete, DomainFacts, Entry
from orchestrator.identity.accounts import ATTRIBUTE
from orchestrator.identity.running import Ran
from orchestrator.identity.spns import USUAL_ALIASES, Aliases

ALIASES = Aliases.of([USUAL_ALIASES])


class Killed(BaseException):
    """The process ends here."""


@dataclass
class FakeDirectory:
    """Accounts with their names. ``kill_at`` counts changes and reads; the call with that number ends the process before or after it."""

    accounts: dict[str, list[str]]
    kill_at: int = 10**9
    kill_after: bool = False
    calls: int = 0
    locked: str = ""
    seen: list = field(default_factory=list)
    elsewhere: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    silent: bool = False
    catalog_asked: int = 0
    server: str = "dc1"

    def facts(self):
        return DomainFacts("lab.example", "LAB", "lab.example", "DC=lab", "CN=c", "CN=s", "dc1", "site", 0, 0)

    def read(self, dn, attributes):
        self._tick()
        if dn.startswith("CN=Directory Service"):
            return Entry(dn, {"sPNMappings": (USUAL_ALIASES.encode(),)})
        return self._entry(dn.removeprefix("CN="))

    def computer(self, name):
        if name not in self.accounts:
            raise AccountMissing(domain="lab.example", account=name, advice="")
        return self._entry(name)

    def account(self, name):
        return self.computer(name)

    def find(self, base, filter_, attributes, scope="subtree"):
        wanted = {part.partition("=")[2].lower() for part in filter_.strip("(|)").split(")(")}
        return [self._entry(one) for one, spns in self.accounts.items() if wanted & {spn.lower() for spn in spns}]

    def domains(self):
        return ("lab.example", *self.elsewhere)

    def find_in_forest(self, filter_, attributes):
        if self.silent:
            raise ControllerUnreachable(domain="lab.example", reason="no global catalog")
        self.catalog_asked += 1
        for domain, named in self.elsewhere.items():
            base = ",".join(f"DC={part}" for part in domain.split("."))
            for name, spns in named.items():
                words = {"sAMAccountName": (name.encode(),), ATTRIBUTE: tuple(one.encode() for one in spns)}
                yield Entry(f"CN={name},{base}", words)

    def change(self, dn, changes):
        self._tick()
        name = dn.removeprefix("CN=")
        for change in changes:
            self._make(name, change)
        self.seen.append({one: tuple(spns) for one, spns in self.accounts.items()})
        self._tick(after=True)

    def _make(self, name, change):
        mine = self.accounts[name]
        if isinstance(change, Delete):
            if not set(change.values) <= set(mine):
                raise ValueChanged(what=ATTRIBUTE, dn=name, reason="gone")
            self.accounts[name] = [one for one in mine if one not in change.values]
        if isinstance(change, Add):
            for value in change.values:
                others = [spn for one, spns in self.accounts.items() if one != name for spn in spns]
                if value.lower() in {one.lower() for one in others}:
                    raise SpnNotUnique(spn=value, dn=name)
                if value in mine:
                    raise ValueChanged(what=ATTRIBUTE, dn=name, reason="there")
            mine.extend(change.values)

    def replicate(self, dn):
        return ()

    def shown_by(self, dn, attribute, wanted):
        return ()

    def close(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def _entry(self, name):
        spns = tuple(one.encode() for one in self.accounts[name])
        writable = () if name == self.locked else (ATTRIBUTE.encode(),)
        words = {"sAMAccountName": (name.encode(),), ATTRIBUTE: spns, "allowedAttributesEffective": writable}
        return Entry(f"CN={name}", words)

    def _tick(self, *, after=False):
        if not after:
            self.calls += 1
        if self.calls == self.kill_at and after == self.kill_after:
            self.kill_at = 10**9
            raise Killed


def owners(state, spn):
    """The accounts that a client's question for a name could lead to, by the name itself or by an alias of it."""
    return {one for one, spns in state.items() for held in spns if ALIASES.collide(spn, held)}


@dataclass
class FakeHost:
    """``ip`` with interfaces in memory; every call is written down."""

    interfaces: dict[str, dict] = field(default_factory=dict)
    calls: list[list[str]] = field(default_factory=list)

    def run(self, words, text=""):
        self.calls.append(list(words))
        if words[:3] == ["ip", "-json", "address"]:
            return Ran(0, json.dumps([self._shown(name) for name in self.interfaces]))
        if words[:2] == ["ip", "address"]:
            return self._change(words[2], words[3], words[5])
        return Ran(127, "", "not here")

    def _shown(self, name):
        one = self.interfaces[name]
        flags = ["UP", "LOWER_UP"] if one.get("up", True) else []
        info = [{"local": text.split("/")[0], "prefixlen": int(text.split("/")[1])} for text in one["addresses"]]
        return {"ifname": name, "flags": flags, "addr_info": info}

    def _change(self, deed, text, name):
        addresses = self.interfaces[name]["addresses"]
        if deed == "add":
            addresses.append(text)
            return Ran(0, "")
        if text not in addresses:
            return Ran(2, "", "RTNETLINK answers: Cannot assign requested address")
        subnet = [one for one in addresses if ip_interface(one).network == ip_interface(text).network]
        for one in subnet if subnet[0] == text and "." in text else [text]:
            addresses.remove(one)  # without promote_secondaries the first of a subnet takes the others along
        return Ran(0, "")


@dataclass
class FakeWire:
    """A network on which some addresses are answered for; ``closed``: one that this process may not ask."""

    owned: dict[str, str] = field(default_factory=dict)
    announced: list[tuple[str, str]] = field(default_factory=list)
    closed: bool = False

    def answered_by(self, interface, address):
        if self.closed:
            raise PermissionError(1, "Operation not permitted")
        return self.owned.get(str(address))

    def announce(self, interface, address):
        self.announced.append((interface, str(address)))
