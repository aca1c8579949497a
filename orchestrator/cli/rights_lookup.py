"""What a protection touches, for ``dtam rights``: from its settings and the names gathered at enable, exact where the directory answers.

Where the directory is not asked or does not answer, the usual places are named (CN=Computers, DomainDnsZones) and a remark says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from orchestrator.directory.filters import dn_value, filter_text
from orchestrator.directory.from_settings import directory_access
from orchestrator.directory.opening import open_directory
from orchestrator.directory.port import Directory
from orchestrator.directory.security_wire import sid_text
from orchestrator.errors import DtamError
from orchestrator.model.names import NameRecords
from orchestrator.model.protections import Protection
from orchestrator.model.servers import EngineAccount, Platform, Where
from orchestrator.model.settings import Settings
from orchestrator.naming.keys import read_key
from orchestrator.rights.values import Account, Keytab, Login, Node, SignedName, Wanted

Found = TypeVar("Found")
ZONE_PLACES = "CN=MicrosoftDNS,DC=DomainDnsZones"


def wanted_of(protection: Protection, accounts: Iterable[str], *, offline: bool) -> Wanted:
    """All that the protection touches. ``accounts`` stand in for those of the settings.

    Raises:
        KeyFileUnusable: the TSIG key's name cannot be read from its file.
    """
    settings = protection.settings
    wanted = Wanted(
        protection.id,
        logins=tuple(_logins(protection)),
        key=_key_name(settings),
        signed=tuple(_signed(protection)) if settings.failover.dns.signing == "tsig" else (),
        keytabs=tuple(_keytabs(protection)),
        remarks=() if protection.names else ("names are gathered at enable: ask again then, for every record",),
    )
    if _domain(settings):
        wanted = _with_domain(wanted, protection, tuple(dict.fromkeys(accounts)), offline=offline)
    return wanted


def _domain(settings: Settings) -> str:
    given = settings.failover.directory
    return given.domain if given else settings.failover.dns.domain or ""


# -- on hosts and DNS servers


def _logins(protection: Protection) -> Iterator[Login]:
    for where in (Where.SOURCE, Where.TARGET):
        server = protection.pair.on(where)
        account = server.engine.account if server.engine else None
        if account is not None:
            yield Login(server.name, account.user or _user_of(account))


def _user_of(account: EngineAccount) -> str:
    return (account.principal or "").partition("@")[0] or "USER"


def _key_name(settings: Settings) -> str:
    file = settings.failover.dns.key_file
    return read_key(Path(file)).name if file and settings.failover.dns.signing == "tsig" else ""


def _records(protection: Protection) -> tuple[NameRecords, ...]:
    """The record sets that change; before enable only the client name's own is known."""
    if protection.names is not None and protection.names.changes:
        both = ((change.before, change.after) for change in protection.names.changes)
        return tuple(one for pair in both for one in pair if one is not None)
    if not protection.settings.failover.dns.servers:
        return ()
    name = f"{protection.settings.name.rstrip('.')}."
    return (NameRecords(name.partition(".")[2], name, "A", 0, ()),)


def _signed(protection: Protection) -> Iterator[SignedName]:
    found: dict[tuple[str, str], dict[str, None]] = {}
    for one in _records(protection):
        found.setdefault((one.zone, one.name), {})[one.type] = None
    for (zone, name), types in found.items():
        yield SignedName(zone, name, tuple(types))


def _keytabs(protection: Protection) -> Iterator[Keytab]:
    given = protection.settings.failover.directory
    if given is None:
        return
    target = protection.pair.target.name
    if _acts_itself(protection):
        yield Keytab(target, given.target_keytab_file, _full(given.target_principal or _computer(target), given.domain))
    if given.keytab_file and given.principal:
        yield Keytab("", given.keytab_file, _full(given.principal, given.domain))


def _acts_itself(protection: Protection) -> bool:
    """Whether the target changes names by itself: a Windows server never does, because its sessions have no second hop."""
    return protection.pair.target.platform is not Platform.WINDOWS


def _full(principal: str, domain: str) -> str:
    return principal if "@" in principal else f"{Account(principal).user}@{domain.upper()}"


def _computer(server: str) -> str:
    return f"{server.partition('.')[0].upper()}$"


# -- in the domain


def _with_domain(wanted: Wanted, protection: Protection, accounts: tuple[str, ...], *, offline: bool) -> Wanted:
    with _session(protection, offline=offline) as (directory, problem):
        places = Places(_domain(protection.settings), directory)
        remarks = () if directory else (f"{problem}: the usual places are named, compare them with yours",)
        return msgspec.structs.replace(
            wanted,
            domain=_domain(protection.settings),
            controller=directory.server if directory else "",
            accounts=tuple(Account(one, places.sid(one)) for one in accounts or _accounts(protection)),
            computers=tuple(_computers(protection, places)),
            nodes=tuple(_nodes(protection, places)),
            locks=protection.settings.failover.dns.signing == "kerberos",
            remarks=(*wanted.remarks, *remarks),
        )


@contextmanager
def _session(protection: Protection, *, offline: bool) -> Iterator[tuple[Directory | None, str]]:
    access = directory_access(protection.settings.failover)
    if offline or access is None:
        yield None, "the directory was not asked"
        return
    try:
        directory = open_directory(access)
    except DtamError as error:
        yield None, f"the directory did not answer ({error})"
        return
    with directory:
        yield directory, ""


def _accounts(protection: Protection) -> tuple[str, ...]:
    given = protection.settings.failover.directory
    target = given.target_principal if given else protection.settings.failover.dns.target_principal
    own = given.principal if given else protection.settings.failover.dns.principal
    chosen = (target or _computer(protection.pair.target.name), own) if _acts_itself(protection) else (own,)
    return tuple(dict.fromkeys(one for one in chosen if one))


def _computers(protection: Protection, places: Places) -> Iterator[tuple[str, str]]:
    if protection.settings.failover.directory is None or protection.settings.failover.items.spns is False:
        return
    for where in (Where.SOURCE, Where.TARGET):
        name = _computer(protection.pair.on(where).name)
        yield name, places.computer(name)


def _nodes(protection: Protection, places: Places) -> Iterator[Node]:
    if protection.settings.failover.dns.signing != "kerberos":
        return
    known = {one.name.lower(): one.dn for one in (protection.names.nodes if protection.names else ())}
    for zone, name in dict.fromkeys((one.zone, one.name) for one in _records(protection)):
        zone_dn = places.zone(zone.rstrip("."))
        dn = known.get(name.lower()) or f"DC={dn_value(_relative(name, zone))},{zone_dn}"
        yield Node(name, dn, zone_dn, is_there=name.lower() in known or places.has(dn))


def _relative(name: str, zone: str) -> str:
    plain, end = name.rstrip(".").lower(), zone.rstrip(".").lower()
    return "@" if plain == end else plain.removesuffix(f".{end}")


class Places:
    """Where things are in a domain: as the directory says, or where they usually are when it is not asked."""

    def __init__(self, domain: str, directory: Directory | None) -> None:
        self._directory = directory
        self._base = ",".join(f"DC={dn_value(label)}" for label in domain.rstrip(".").split("."))

    def computer(self, name: str) -> str:
        """The DN of a computer's account."""
        usual = f"CN={dn_value(name.rstrip('$'))},CN=Computers,{self._base}"
        return self._asked(lambda directory: directory.computer(name).dn, usual)

    def sid(self, account: str) -> str:
        """The SID of an account; empty when it is not known."""
        user = Account(account).user
        return self._asked(lambda directory: _sid(directory, self._base, user), "")

    def zone(self, zone: str) -> str:
        """The DN of a zone."""
        usual = f"DC={dn_value(zone)},{ZONE_PLACES},{self._base}"
        return self._asked(lambda directory: _zone(directory, zone) or usual, usual)

    def has(self, dn: str) -> bool:
        """Whether an object is there; assumed where nobody was asked."""
        return self._asked(lambda directory: directory.read(dn, ("objectClass",)) is not None, True)

    def _asked(self, question: Callable[[Directory], Found], usual: Found) -> Found:
        return usual if self._directory is None else question(self._directory)


def _sid(directory: Directory, base: str, user: str) -> str:
    found = directory.find(base, f"(sAMAccountName={filter_text(user)})", ("objectSid",))
    return next((sid_text(one.values("objectSid")[0]) for one in found), "")


def _zone(directory: Directory, zone: str) -> str | None:
    for context in directory.facts().contexts:
        if "DnsZones" in context:
            found = directory.find(context, f"(&(objectClass=dnsZone)(name={filter_text(zone)}))", ("name",))
            for one in found:
                return one.dn
    return None
