"""The ``Directory`` port over LDAP: everything goes to the one controller that was chosen when the session was opened.

A read whose connection broke is asked once more on a new one to the same controller. A write is not: whether it was made is
not known, and the caller has to look.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from orchestrator.directory.errors import AccountMissing, ControllerUnreachable, DirectoryError, EntryMissing
from orchestrator.directory.failures import spn_values
from orchestrator.directory.filters import filter_text
from orchestrator.directory.forest import PLAIN_PORT, TLS_PORT, catalogs, listed_domains
from orchestrator.directory.locating import Answer
from orchestrator.directory.port import (
    Change,
    Controller,
    DirectoryAccess,
    DomainFacts,
    Entry,
    Refused,
    Replace,
    Scope,
    Value,
)
from orchestrator.directory.rootdse import ROOT_WORDS, facts_of, listed_controllers
from orchestrator.directory.security import Descriptor, Part
from orchestrator.directory.security_wire import decoded, encoded
from orchestrator.directory.wire import Page, Wire, as_bytes

if TYPE_CHECKING:
    from orchestrator.directory.gss import Tickets

T = TypeVar("T")
_ANY = "(objectClass=*)"
_DESCRIPTOR = "nTSecurityDescriptor"
_READ_PARTS = Part.OWNER | Part.GROUP | Part.DACL
_LOOK_EVERY_S = 60.0
_ASKED_AT_ONCE = 8

log = logging.getLogger("dtam.directory")


class LdapDirectory:
    """A session; made by ``open_directory``. What ``kept`` holds goes when it is closed."""

    def __init__(self, access: DirectoryAccess, answer: Answer, tickets: Tickets | None, kept: ExitStack) -> None:
        self._access = access
        self._tickets = tickets
        self._kept = kept
        self._answer = answer
        self._wire = Wire(access, answer.candidate.address, answer.name)
        self._looked_at_s = time.monotonic()
        self._netbios: str | None = None
        self._others: dict[str, Wire] = {}
        self._told: set[tuple[str, str]] = set()
        kept.callback(self._hang_up)
        self._wire.bind(tickets)

    @property
    def server(self) -> str:
        """The controller that this session uses for everything, by name."""
        return self._answer.name

    @property
    def local_address(self) -> str:
        """The address on our side of the connection."""
        return self._wire.local_address

    @property
    def site(self) -> str:
        """The controller's site."""
        return self._answer.site

    def go_over(self, answer: Answer) -> None:
        """Use another controller from now on; only sensible before anything was read."""
        wire = Wire(self._access, answer.candidate.address, answer.name)
        wire.bind(self._tickets)
        self._wire.close()
        self._wire, self._answer = wire, answer

    def facts(self) -> DomainFacts:
        """What the controller says now."""
        root = self._first("", ROOT_WORDS)
        if self._netbios is None:
            base = root.first("defaultNamingContext") or ""
            wanted = f"(&(objectClass=crossRef)(nCName={filter_text(base)}))"
            partitions = f"CN=Partitions,{root.first('configurationNamingContext')}"
            found = next(self.find(partitions, wanted, ["nETBIOSName"], "level"), None)
            self._netbios = (found.first("nETBIOSName") if found else None) or ""
        return facts_of(root, self._netbios)

    def find(self, base: str, filter_: str, attributes: Sequence[str], scope: Scope = "subtree") -> Iterator[Entry]:
        """Entries as they come; one page is in memory."""
        cookie: bytes | None = None
        while cookie is None or cookie:
            page = self._page(base, filter_, attributes, scope, cookie)
            while page.entries:
                yield page.entries.popleft()
            cookie = page.cookie

    def read(self, dn: str, attributes: Sequence[str]) -> Entry | None:
        """One object; None when it is not there, or not to be seen."""
        try:
            return next(iter(self._page(dn, _ANY, attributes, "base", None).entries), None)
        except EntryMissing:
            return None

    def change(self, dn: str, changes: Sequence[Change]) -> None:
        """Make all changes or none."""
        self._modify(self._fresh(), dn, changes)

    def add(self, dn: str, attributes: Mapping[str, Sequence[Value]]) -> None:
        """Make an object."""
        self._fresh().add(dn, attributes)

    def remove(self, dn: str) -> None:
        """Delete an object that has none beneath it."""
        self._fresh().delete(dn)

    def computer(self, name: str) -> Entry:
        """A computer's account, found by ``NAME``, ``NAME$`` or its DNS name."""
        wanted = filter_text(name.rstrip("$."))
        filter_ = f"(&(objectCategory=computer)(|(sAMAccountName={wanted}$)(dNSHostName={wanted})))"
        found = next(self.find(self.facts().base_dn, filter_, ["*"]), None)
        if found is None:
            advice = "look at its spelling, and whether the computer has joined the domain"
            raise AccountMissing(domain=self._access.domain, account=name, advice=advice)
        return found

    def account(self, name: str) -> Entry:
        """Any account: a computer's, a user's or a managed service's."""
        filter_ = f"(&(objectClass=user)(sAMAccountName={filter_text(name)}))"
        found = next(self.find(self.facts().base_dn, filter_, ["*"]), None)
        return found or self.computer(name)

    def controllers(self) -> tuple[Controller, ...]:
        """The controllers of this domain, ordered by name."""
        return listed_controllers(self, self._access)

    def domains(self) -> tuple[str, ...]:
        """The DNS names of all domains of the forest, in order."""
        return listed_domains(self, self.facts())

    def find_in_forest(self, filter_: str, attributes: Sequence[str]) -> Iterator[Entry]:
        """Objects of every domain of the forest, as a global catalog has them."""
        wire = self._catalog()
        try:
            cookie: bytes | None = None
            while cookie is None or cookie:
                page = wire.search("", filter_, attributes, "subtree", cookie=cookie)
                yield from page.entries
                cookie = page.cookie
        finally:
            wire.close()

    def security(self, dn: str) -> Descriptor:
        """Owner, group and DACL of an object."""
        page = self._asked(lambda wire: wire.search(dn, _ANY, [_DESCRIPTOR], "base", sd_parts=int(_READ_PARTS)))
        raw = next((value for entry in page.entries for value in entry.values(_DESCRIPTOR)), None)
        if raw is None:
            raise EntryMissing(dn=dn)
        return decoded(raw)

    def set_security(self, dn: str, descriptor: Descriptor, parts: Part) -> None:
        """Write the named parts of a descriptor, and leave the others alone."""
        wire = self._fresh()
        wanted = Replace(_DESCRIPTOR, (encoded(descriptor),))
        wire.modify(dn, [wanted], asked=wire.asked(dn, [_DESCRIPTOR]), sd_parts=int(parts))

    def replicate(self, dn: str) -> tuple[Refused, ...]:
        """Ask every other controller to pull this object from ours now; those that would not, with the reason."""
        ours = self._first("", ["dsServiceName"]).first("dsServiceName")
        pull = Replace("replicateSingleObject", (f"{ours}:{dn}",))
        asked = self._of_others(lambda wire: self._modify(wire, "", [pull]))
        return tuple(Refused(name, str(error)) for name, error in asked if isinstance(error, DirectoryError))

    def shown_by(self, dn: str, attribute: str, wanted: Collection[Value]) -> tuple[tuple[str, bool], ...]:
        """Of each controller, whether it shows exactly these values."""
        values = set(as_bytes(tuple(wanted)))
        own = self._asked(lambda wire: _shows(wire, dn, attribute, values))
        others = self._of_others(lambda wire: _shows(wire, dn, attribute, values))
        for name, seen in others:
            if isinstance(seen, DirectoryError) and (name, str(seen)) not in self._told:
                self._told.add((name, str(seen)))
                log.warning("%s does not show %s of %s: %s", name, attribute, dn, seen)
        return ((self.server, own), *((name, seen is True) for name, seen in others))

    def close(self) -> None:
        """End the session; a ticket cache made for it goes too."""
        self._kept.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _hang_up(self) -> None:
        for wire in (self._wire, *self._others.values()):
            wire.close()
        self._others.clear()

    def _first(self, dn: str, attributes: Sequence[str]) -> Entry:
        found = self.read(dn, attributes)
        if found is None:
            raise EntryMissing(dn=dn or "rootDSE")
        return found

    def _page(self, base: str, filter_: str, attributes: Sequence[str], scope: Scope, cookie: bytes | None) -> Page:
        """A page; one in the middle of a listing is not asked again, since its cookie died with the connection."""
        if cookie:
            return self._fresh().search(base, filter_, attributes, scope, cookie=cookie)
        return self._asked(lambda wire: wire.search(base, filter_, attributes, scope))

    def _asked(self, question: Callable[[Wire], T]) -> T:
        """Ask a question that changes nothing; once more when the connection broke."""
        try:
            return question(self._fresh())
        except ControllerUnreachable:
            self._wire.bind(self._tickets)
            return question(self._wire)

    def _catalog(self) -> Wire:
        """A connection to the first global catalog that lets us in."""
        facts, port = self.facts(), TLS_PORT if self._access.ca_file else PLAIN_PORT
        failures = []
        for one in catalogs(self, self._access, facts):
            wire = Wire(self._access, one.address, one.name, port)
            try:
                wire.bind(self._tickets)
            except DirectoryError as error:
                wire.close()
                failures.append(f"{one.name}: {error}")
                continue
            return wire
        reason = f"no global catalog of the forest {facts.forest_root}: {'; '.join(failures) or 'none is listed'}"
        raise ControllerUnreachable(domain=self._access.domain, reason=reason)

    def _fresh(self) -> Wire:
        """The connection; once a minute made anew if it broke while idle (so that no change is lost) or its ticket is ending."""
        now_s = time.monotonic()
        if now_s - self._looked_at_s >= _LOOK_EVERY_S:
            self._looked_at_s = now_s
            renewed = self._tickets is not None and self._tickets.renew_if_short()
            if renewed or not self._wire.answers():
                self._wire.bind(self._tickets)
        return self._wire

    def _modify(self, wire: Wire, dn: str, changes: Sequence[Change]) -> None:
        spns = tuple(spn for one in changes for spn in spn_values(one.attribute, one.values))
        wire.modify(dn, changes, asked=wire.asked(dn, [one.attribute for one in changes], spns))

    def _of_others(self, question: Callable[[Wire], T]) -> list[tuple[str, T | DirectoryError]]:
        """Ask all other controllers at once; each one's answer or failure."""
        others = [one for one in self.controllers() if one.name.lower() != self.server.lower()]
        with ThreadPoolExecutor(_ASKED_AT_ONCE) as pool:
            answers = pool.map(lambda one: self._of_other(one, question), others)
            return [(one.name, answer) for one, answer in zip(others, answers, strict=True)]

    def _of_other(self, controller: Controller, question: Callable[[Wire], T]) -> T | DirectoryError:
        """One other controller's answer; its connection is kept while it is good."""
        if controller.address is None:
            return ControllerUnreachable(domain=self._access.domain, reason=f"{controller.name} does not resolve")
        wire = self._others.pop(controller.name, None)
        try:
            if wire is None:
                wire = Wire(self._access, controller.address, controller.name)
                wire.bind(self._tickets)
            answer = question(wire)
        except ControllerUnreachable as error:
            return error
        except DirectoryError as error:
            if wire is not None:
                wire.close()
            return error
        self._others[controller.name] = wire
        return answer


def _shows(wire: Wire, dn: str, attribute: str, wanted: set[bytes]) -> bool:
    try:
        page = wire.search(dn, _ANY, [attribute], "base")
    except EntryMissing:
        return not wanted
    return {value for entry in page.entries for value in entry.values(attribute)} == wanted
