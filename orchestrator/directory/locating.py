"""Which controllers a domain has, and which of them answer first.

Sources: [MS-ADTS] 6.3.2.3 (SRV records of a domain), RFC 2782.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import Empty, SimpleQueue

import dns.exception
import dns.resolver

from orchestrator.directory.errors import ControllerUnreachable, DirectoryError, DomainInvalid
from orchestrator.directory.port import DirectoryAccess

_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_GRACE_S = 0.2
_DNS_TRY_S = 1.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """Where a controller may be. The name is unknown where only an address was given."""

    address: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A controller that answered, and what it said of itself."""

    candidate: Candidate
    name: str
    site: str
    ahead_s: float = 0.0
    """By how many seconds its clock is ahead of ours."""


def checked_domain(domain: str) -> str:
    """The domain without a last dot.

    Raises:
        DomainInvalid: it has a single label, or characters that no DNS name has.
    """
    bare = domain.removesuffix(".")
    labels = bare.split(".")
    if not all(_LABEL.fullmatch(one) for one in labels) or len(bare) > 253:
        raise DomainInvalid(domain=domain, reason="it is not a DNS name")
    if len(labels) < 2:
        raise DomainInvalid(domain=domain, reason="it has a single label, which is not supported")
    return bare


def default_domain() -> str | None:
    """The domain that this machine is configured for, by its resolver or its name; None: it has none of two labels."""
    system = dns.resolver.get_default_resolver()
    found = (one.to_text(omit_final_dot=True) for one in (*system.search, system.domain))
    return next((one for one in found if "." in one), None)


def candidates(access: DirectoryAccess) -> tuple[Candidate, ...]:
    """The controllers that were given, or those that DNS lists; not asked yet.

    Raises:
        DomainInvalid: the domain has a single label.
        ControllerUnreachable: DNS knows none, or does not answer.
    """
    domain = checked_domain(access.domain)
    names = access.controllers or _listed(access, domain)
    full = {name: name.rstrip(".") if "." in name else f"{name}.{domain}" for name in names if not _is_address(name)}
    known = addresses(access, full.values())
    found = tuple(
        dict.fromkeys(
            one
            for name in names
            for one in (
                [Candidate(address, full[name]) for address in known[full[name]]] if name in full else [Candidate(name)]
            )
        )
    )
    if not found:
        reason = f"the name {' and '.join(names)} does not resolve"
        raise ControllerUnreachable(domain=domain, reason=reason)
    return found


def kdc_addresses(access: DirectoryAccess) -> tuple[str, ...]:
    """The addresses of the domain's KDCs, which its controllers are."""
    return tuple(one.address for one in candidates(access))


def first_answers(
    access: DirectoryAccess, asked: Sequence[Candidate], ask: Callable[[Candidate], Answer]
) -> tuple[Answer, ...]:
    """Ask all at once; the first answer and those that come hardly later, in their order.

    Raises:
        DirectoryError: none answered; what the last of them said.
    """
    heard: SimpleQueue[Answer | DirectoryError] = SimpleQueue()
    for one in asked:
        threading.Thread(target=_listen, args=(heard, ask, one), daemon=True).start()
    answers: list[Answer] = []
    failure: DirectoryError = ControllerUnreachable(domain=access.domain, reason=f"no answer in {access.timeout_s:g} s")
    until = time.monotonic() + access.timeout_s
    for _ in asked:
        try:
            came = heard.get(timeout=max(0.0, until - time.monotonic()))
        except Empty:
            break
        if isinstance(came, DirectoryError):
            failure = came
            continue
        until = min(until, time.monotonic() + _GRACE_S)
        answers.append(came)
    if not answers:
        raise failure
    return tuple(answers)


def addresses(access: DirectoryAccess, names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The addresses of names, all looked up at once; none for one that does not resolve."""
    wanted = tuple(dict.fromkeys(names))
    with ThreadPoolExecutor(max(1, len(wanted))) as pool:
        return dict(zip(wanted, pool.map(lambda name: _addresses(access, name), wanted), strict=True))


def _listen(
    heard: SimpleQueue[Answer | DirectoryError], ask: Callable[[Candidate], Answer], candidate: Candidate
) -> None:
    try:
        heard.put(ask(candidate))
    except DirectoryError as error:
        heard.put(error)


def _listed(access: DirectoryAccess, domain: str) -> tuple[str, ...]:
    record = f"_ldap._tcp.dc._msdcs.{domain}"
    try:
        answer = _resolver(access).resolve(f"{record}.", "SRV", search=False)
    except (dns.exception.DNSException, OSError) as error:
        told = str(error).partition(": Server ")[0].strip(" .") or type(error).__name__
        raise ControllerUnreachable(domain=domain, reason=f"DNS does not give {record}: {told}") from error
    ordered = sorted(answer, key=lambda one: (one.priority, -one.weight, str(one.target)))
    return tuple(str(one.target).rstrip(".") for one in ordered)


def _addresses(access: DirectoryAccess, name: str) -> tuple[str, ...]:
    if not access.dns_servers:
        try:
            found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        except OSError:
            return ()
        return tuple(dict.fromkeys(str(one[4][0]) for one in found))
    return _asked(access, name, "A") or _asked(access, name, "AAAA")


def _asked(access: DirectoryAccess, name: str, kind: str) -> tuple[str, ...]:
    try:
        answer = _resolver(access).resolve(f"{name}.", kind, search=False)
    except (dns.exception.DNSException, OSError):
        return ()
    return tuple(one.address for one in answer)


def _resolver(access: DirectoryAccess) -> dns.resolver.Resolver:
    resolver = dns.resolver.Resolver(configure=not access.dns_servers)
    if access.dns_servers:
        resolver.nameservers = list(access.dns_servers)
        resolver.timeout = min(_DNS_TRY_S, access.timeout_s / (len(access.dns_servers) + 1))
    resolver.lifetime = access.timeout_s
    return resolver


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
