"""What the directory says about the two servers of a protection, as one value: accounts, holders of service names, the clock."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence

from orchestrator.directory.errors import AccountMissing, DirectoryError, EntryMissing
from orchestrator.directory.opening import open_directory
from orchestrator.directory.port import Directory, DirectoryAccess, Entry
from orchestrator.directory.security_wire import sid_text
from orchestrator.identity.forest import Forest
from orchestrator.identity.spns import Aliases
from orchestrator.model.domain import Account, DomainInventory, service_names

SPN = "servicePrincipalName"
ATTRIBUTES = ("sAMAccountName", "dNSHostName", "objectSid", SPN, "userAccountControl", "primaryGroupID")
CONTROLLER, DISABLED = 0x2000, 0x2


class DirectoryView:
    """The ``DomainView`` port. ``open_session`` gives a session; ``now_ns`` nanoseconds since 1970."""

    def __init__(
        self,
        access: DirectoryAccess,
        open_session: Callable[[DirectoryAccess], Directory] = open_directory,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._access = access
        self._open = open_session
        self._now_ns = now_ns

    def look(self, source: str, target: str, client_name: str, spns: Sequence[str] = ()) -> DomainInventory:
        """Both accounts, who holds their service names and ``spns``, the clock; what cannot be asked is a problem in words, never raised."""
        try:
            with self._open(self._access) as session:
                return self._look(session, source, target, client_name, spns)
        except DirectoryError as error:
            return DomainInventory(True, f"{error}. {error.hint}".strip(". "), self._access.domain)

    def _look(
        self, session: Directory, source: str, target: str, client_name: str, spns: Sequence[str]
    ) -> DomainInventory:
        facts = session.facts()
        forest = Forest(session, facts)
        ours, theirs = (_account(session, name) for name in (source, target))
        hosts = dict.fromkeys(name.lower() for name in (ours.dns_name if ours else "", client_name) if name)
        more = [spn.replace("{host}", host) for host in hosts for spn in spns]
        wanted = (*(service_names(ours, client_name) if ours else ()), *more)
        return DomainInventory(
            asked=True,
            domain=facts.domain,
            controller=facts.controller,
            source=ours,
            target=theirs,
            holders=tuple((spn, _holders(session, forest, facts.config_dn, spn)) for spn in wanted),
            clock_ahead_s=facts.clock_ahead_s(self._now_ns()),
            forest_problem=forest.problem,
        )


def _account(session: Directory, name: str) -> Account | None:
    try:
        entry = session.read(session.computer(name).dn, ATTRIBUTES)
    except AccountMissing:
        return None
    return None if entry is None else _facts(entry)


def _facts(entry: Entry) -> Account:
    flags = int(entry.first("userAccountControl") or 0)
    sid = entry.values("objectSid")
    return Account(
        name=entry.first("sAMAccountName") or "",
        dns_name=entry.first("dNSHostName") or "",
        sid=sid_text(sid[0]) if sid else "",
        spns=entry.text(SPN),
        is_controller=bool(flags & CONTROLLER) or entry.first("primaryGroupID") in {"516", "521"},
        enabled=not flags & DISABLED,
    )


def _holders(session: Directory, forest: Forest, config_dn: str, spn: str) -> tuple[str, ...]:
    """The accounts that hold a name, or one that stands for it."""
    found = forest.holders(SPN, sorted(_rivals(session, config_dn, spn)), "sAMAccountName")
    return tuple(sorted(forest.name_of(entry) for entry in found))


def _rivals(session: Directory, config_dn: str, spn: str) -> Iterable[str]:
    entry = None
    with contextlib.suppress(EntryMissing):
        entry = session.read(f"CN=Directory Service,CN=Windows NT,CN=Services,{config_dn}", ["sPNMappings"])
    return Aliases.of(entry.text("sPNMappings") if entry else ()).rivals(spn)
