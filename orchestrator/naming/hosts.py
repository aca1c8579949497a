"""The name by which Kerberos knows a DNS server, found by asking that server itself. Pure but for the question passed in.

A server that lies about its name gains nothing: Kerberos proves that it is the one it names, and only servers of the domain's DNS
have that principal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import dns.message
import dns.rdatatype

Ask = Callable[[str, str], dns.message.Message]


def server_host(address: str, domain: str, ask: Ask) -> str:
    """The first of the domain's primary and name servers that has this address; the primary when none has."""
    primaries = _hosts(ask(domain, "SOA"), dns.rdatatype.SOA)
    others = _hosts(ask(domain, "NS"), dns.rdatatype.NS)
    known = list(dict.fromkeys((*primaries, *others)))
    for name in known:
        if address in _addresses(ask, name):
            return name.rstrip(".")
    return next(iter(known), domain).rstrip(".")


def _hosts(answer: dns.message.Message, wanted: dns.rdatatype.RdataType) -> Iterator[str]:
    for records in (*answer.answer, *answer.authority):
        if records.rdtype == wanted:
            yield from (one.mname.to_text() if wanted == dns.rdatatype.SOA else one.target.to_text() for one in records)


def _addresses(ask: Ask, name: str) -> set[str]:
    return {
        one.address
        for kind in ("A", "AAAA")
        for records in ask(name, kind).answer
        for one in records
        if hasattr(one, "address")
    }
