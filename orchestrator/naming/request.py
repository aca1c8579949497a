"""What is asked of the name service: which names and addresses give way to which, and how the servers are reached.

Pure values that check themselves; every message names the wrong thing. Source addresses need targets of the same family, and
several of them need distinct targets, because the way back must be unambiguous.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field

import dns.exception
import dns.name

from orchestrator.directory.port import DirectoryAccess
from orchestrator.naming.errors import AddressMapInvalid, NameInvalid
from orchestrator.naming.keys import Key
from orchestrator.naming.values import MOVABLE_TYPES, NameServer

_LABEL = re.compile(r"^(?!-)[a-z0-9_-]{1,63}(?<!-)$", re.IGNORECASE)


def server_name(text: str) -> str:
    """The absolute name of a server, checked: at least two labels, letters, digits, hyphen and underscore.

    Raises:
        NameInvalid: illegal characters, too long, or a single-label domain (which the guide refuses).
    """
    bare = text.strip().rstrip(".")
    labels = bare.split(".")
    if not bare or any(not label for label in labels):
        raise NameInvalid(name=text, reason="a part of it is empty")
    wrong = [label for label in labels if not _LABEL.match(label)]
    if wrong:
        raise NameInvalid(name=text, reason=_why_wrong(wrong[0]))
    if len(labels) < 3:
        reason = "it has no domain" if len(labels) == 1 else f"its domain {labels[1]!r} is a single label"
        raise NameInvalid(name=text, reason=reason)
    try:
        return dns.name.from_text(bare + ".").to_text()
    except dns.exception.DNSException as error:
        raise NameInvalid(name=text, reason=str(error)) from error


def _why_wrong(label: str) -> str:
    illegal = sorted({char for char in label if not re.match(r"[a-z0-9_-]", char, re.IGNORECASE)})
    if illegal:
        return f"the character {illegal[0]!r} is not allowed in {label!r}"
    if len(label) > 63:
        return f"the label {label[:20]}... is longer than 63 characters"
    return f"the label {label!r} begins or ends with a hyphen"


def address_map(sources: tuple[str, ...], targets: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Pair source addresses with target addresses, in order.

    Raises:
        AddressMapInvalid: not an address, families mixed, a target used twice, or a source that is also a target.
    """
    if len(sources) != len(targets):
        raise AddressMapInvalid(reason=f"{len(sources)} source and {len(targets)} target addresses were given")
    pairs = tuple((_address(one), _address(other)) for one, other in zip(sources, targets, strict=True))
    for one, other in pairs:
        if ipaddress.ip_address(one).version != ipaddress.ip_address(other).version:
            raise AddressMapInvalid(reason=f"{one} and {other} are not of the same family")
    _refuse_repeated("source", [one for one, _ in pairs])
    _refuse_repeated("target", [other for _, other in pairs])
    both = {one for one, _ in pairs} & {other for _, other in pairs}
    if both:
        raise AddressMapInvalid(reason=f"{min(both)} is both a source and a target")
    return pairs


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError:
        raise AddressMapInvalid(reason=f"{text!r} is not an IP address") from None


def _refuse_repeated(which: str, addresses: list[str]) -> None:
    repeated = sorted({address for address in addresses if addresses.count(address) > 1})
    if repeated:
        raise AddressMapInvalid(reason=f"{which} address {repeated[0]} is used more than once")


@dataclass(frozen=True, slots=True)
class Move:
    """A server's names give way to another's.

    ``zones`` are searched besides those of the name and the addresses; ``names`` are read where a zone cannot be transferred;
    ``ttl_s`` is written on the moved records (None: they keep theirs); without ``target_name``, MX, SRV and CNAME records go
    on naming the source and follow its moved address.
    """

    source_name: str
    addresses: tuple[tuple[str, str], ...]
    target_name: str | None = None
    zones: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    ttl_s: int | None = None
    types: tuple[str, ...] = MOVABLE_TYPES
    account: str | None = None
    """Whose right to the records is taken in zones of a directory; None: the account of the source's name."""

    @property
    def address_of(self) -> dict[str, str]:
        """Source address to target address."""
        return dict(self.addresses)


@dataclass(frozen=True, slots=True)
class Access:
    """How the servers are reached: who they are, with which key, and how long anything may take.

    ``keys`` may hold one key for a server (by its text) and one for all others under the empty text. Without a key nothing is
    changed unless ``unsigned`` is chosen. ``primaries`` names the writer of a zone (of all, under the empty text) where the SOA does not tell;
    ``preferred`` is written for every other zone that it holds, as long as it answers;
    ``each_server`` says that the listed servers do not transfer from each other, so that each is written;
    ``tolerate_silent`` lets a deed succeed without the servers that do not answer, unless one is the writer of a zone.
    ``kerberos`` says how to get into the domain whose zones these are: its servers then get updates signed by Kerberos (a key for
    one server goes before, a key for all others behind), and its directory is read and locked.
    """

    servers: tuple[NameServer, ...]
    keys: tuple[tuple[str, Key], ...] = ()
    unsigned: bool = False
    kerberos: DirectoryAccess | None = None
    primaries: tuple[tuple[str, NameServer], ...] = ()
    preferred: NameServer | None = None
    each_server: bool = False
    tolerate_silent: bool = False
    timeout_s: float = 5.0
    await_s: float = 20.0
    threads: int = field(default=16)

    def key_for(self, server: NameServer) -> Key | None:
        """The key that this server is to be addressed with; None: Kerberos where that is chosen, else unsigned."""
        keys = dict(self.keys)
        return keys.get(str(server)) or (keys.get("") if self.kerberos is None else None)

    def is_apart(self, server: NameServer) -> bool:
        """Whether a server has a key of its own: it is no controller, and what it holds is not the directory's."""
        return str(server) in dict(self.keys)

    def may_sign(self, server: NameServer) -> bool:
        """Whether an update for this server can be signed."""
        return self.kerberos is not None or self.key_for(server) is not None

    def primary_of(self, zone: str) -> NameServer | None:
        """The writer that was configured for a zone."""
        known = {name.lower().rstrip("."): server for name, server in self.primaries}
        return known.get(zone.lower().rstrip("."), known.get(""))
