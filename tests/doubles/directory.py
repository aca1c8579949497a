"""A small directory in memory, for unit tests of those who use the port. It is held to the same conformance suite as the real one.

It knows what the callers rely on: conditional changes, unique service principal names, missing rights, other controllers that
show a change later. It knows no schema.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self

from orchestrator.directory.errors import (
    AccountMissing,
    ControllerUnreachable,
    EntryMissing,
    RightMissing,
    SpnNotUnique,
    ValueChanged,
)
from orchestrator.directory.port import (
    Add,
    Change,
    Controller,
    Delete,
    DomainFacts,
    Entry,
    Refused,
    Scope,
    Value,
)
from orchestrator.directory.security import Acl, Descriptor, Part

BASE = "DC=lab,DC=example"
CONFIG = f"CN=Configuration,{BASE}"


class MemoryDirectory:
    """One domain. ``denied`` holds (dn, attribute) that may not be written; ``late`` controllers show nothing new."""

    def __init__(self, *, controllers: Sequence[str] = ("dc1.lab.example",), time_ns: int = 0) -> None:
        self.elsewhere: list[Entry] | None = []
        """Objects of other domains of the forest; None: no global catalog answers."""
        self.server = controllers[0]
        self.objects: dict[str, Entry] = {}
        self.descriptors: dict[str, Descriptor] = {}
        self.denied: set[tuple[str, str]] = set()
        self.late: set[str] = set()
        self.time_ns = time_ns
        self.usn = 0
        self._controllers = tuple(Controller(name, "192.0.2.1", "Default", is_gc=True) for name in controllers)
        for dn in (BASE, CONFIG):
            self.add(dn, {"objectClass": ["top"]})

    def facts(self) -> DomainFacts:
        """Those of ``lab.example``."""
        contexts = (BASE, CONFIG)
        known = DomainFacts(
            "lab.example", "LAB", "lab.example", BASE, CONFIG, f"CN=Schema,{CONFIG}", self.server, "Default", 0, 0
        )
        return replace(known, time_ns=self.time_ns, highest_usn=self.usn, contexts=contexts)

    def find(self, base: str, filter_: str, attributes: Sequence[str], scope: Scope = "subtree") -> Iterator[Entry]:
        """In the order of creation."""
        self._held(base)
        matches = _filter(filter_)
        for entry in list(self.objects.values()):
            if _within(entry.dn, base, scope) and matches(entry):
                yield _only(entry, attributes)

    def read(self, dn: str, attributes: Sequence[str]) -> Entry | None:
        """A copy."""
        found = self.objects.get(dn.lower())
        return None if found is None else _only(found, attributes)

    def change(self, dn: str, changes: Sequence[Change]) -> None:
        """All or none."""
        entry = self._held(dn)
        for one in changes:
            if (dn.lower(), one.attribute.lower()) in {(a.lower(), b.lower()) for a, b in self.denied}:
                raise RightMissing(principal="tester", what=one.attribute, dn=dn, reason="denied")
        held = dict(entry.attributes)
        for one in changes:
            self._apply(entry, held, one)
        self.objects[dn.lower()] = Entry(entry.dn, {word: values for word, values in held.items() if values})
        self.usn += 1

    def add(self, dn: str, attributes: Mapping[str, Sequence[Value]]) -> None:
        """Any attributes."""
        if dn.lower() in self.objects:
            raise ValueChanged(what="the absence", dn=dn, reason="entryAlreadyExists")
        self.objects[dn.lower()] = Entry(dn, {word: _raw(values) for word, values in attributes.items()})
        self.descriptors[dn.lower()] = Descriptor("S-1-5-32-544", "S-1-5-32-544", Acl())
        self.usn += 1

    def remove(self, dn: str) -> None:
        """With its descriptor."""
        self._held(dn)
        del self.objects[dn.lower()], self.descriptors[dn.lower()]
        self.usn += 1

    def computer(self, name: str) -> Entry:
        """By NAME, NAME$ or DNS name."""
        bare = name.rstrip("$.").lower()
        for entry in self.objects.values():
            account, host = entry.first("sAMAccountName") or "", entry.first("dNSHostName") or ""
            if account.lower() == f"{bare}$" or host.lower() == bare:
                return entry
        raise AccountMissing(domain="lab.example", account=name, advice="join it")

    def account(self, name: str) -> Entry:
        """By its name, whatever it is; else as a computer."""
        named = (one for one in self.objects.values() if (one.first("sAMAccountName") or "").lower() == name.lower())
        return next(named, None) or self.computer(name)

    def domains(self) -> tuple[str, ...]:
        """A second one as soon as there is anything in it, or nobody to ask about it."""
        return ("lab.example",) if self.elsewhere == [] else ("lab.example", "other.example")

    def find_in_forest(self, filter_: str, attributes: Sequence[str]) -> Iterator[Entry]:
        """Here and elsewhere."""
        if self.elsewhere is None:
            raise ControllerUnreachable(domain="lab.example", reason="no global catalog")
        matches = _filter(filter_)
        for entry in (*self.objects.values(), *self.elsewhere):
            if matches(entry):
                yield _only(entry, attributes)

    def controllers(self) -> tuple[Controller, ...]:
        """As given."""
        return self._controllers

    def security(self, dn: str) -> Descriptor:
        """As set."""
        self._held(dn)
        return self.descriptors[dn.lower()]

    def set_security(self, dn: str, descriptor: Descriptor, parts: Part) -> None:
        """Only the named parts."""
        now = self.security(dn)
        words = {Part.OWNER: "owner", Part.GROUP: "group", Part.DACL: "dacl", Part.SACL: "sacl"}
        wanted = {word: getattr(descriptor, word) for part, word in words.items() if part in parts}
        self.descriptors[dn.lower()] = replace(now, **wanted)

    def replicate(self, dn: str) -> tuple[Refused, ...]:
        """Late controllers refuse."""
        self._held(dn)
        return tuple(Refused(one.name, "late") for one in self._controllers if one.name in self.late)

    def shown_by(self, dn: str, attribute: str, wanted: Collection[Value]) -> tuple[tuple[str, bool], ...]:
        """Late controllers show nothing."""
        entry = self.objects.get(dn.lower())
        shown = set(entry.values(attribute) if entry else ()) == set(_raw(tuple(wanted)))
        return tuple((one.name, shown and one.name not in self.late) for one in self._controllers)

    def close(self) -> None:
        """Nothing is open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _held(self, dn: str) -> Entry:
        if dn.lower() not in self.objects:
            raise EntryMissing(dn=dn)
        return self.objects[dn.lower()]

    def _apply(self, entry: Entry, held: dict[str, tuple[bytes, ...]], change: Change) -> None:
        word = next((one for one in held if one.lower() == change.attribute.lower()), change.attribute)
        now, given = held.get(word, ()), _raw(change.values)
        match change:
            case Delete():
                if set(given) - set(now) or not now:
                    raise ValueChanged(what=word, dn=entry.dn, reason="noSuchAttribute")
                held[word] = tuple(one for one in now if given and one not in given)
            case Add():
                if set(given) & set(now):
                    raise ValueChanged(what=word, dn=entry.dn, reason="attributeOrValueExists")
                held[word] = (*now, *given)
            case _:
                held[word] = given
        if word.lower() == "serviceprincipalname":
            self._unique(entry, held[word])

    def _unique(self, entry: Entry, wanted: tuple[bytes, ...]) -> None:
        taken = {
            value.lower(): one.dn
            for one in self.objects.values()
            if one.dn != entry.dn
            for value in one.values("servicePrincipalName")
        }
        for value in wanted:
            if value.lower() in taken:
                raise SpnNotUnique(spn=value.decode(), dn=entry.dn)


def _raw(values: Sequence[Value]) -> tuple[bytes, ...]:
    return tuple(one.encode() if isinstance(one, str) else one for one in values)


def _only(entry: Entry, attributes: Sequence[str]) -> Entry:
    wanted = {one.lower() for one in attributes}
    every = "*" in wanted
    return Entry(
        entry.dn, {word: values for word, values in entry.attributes.items() if every or word.lower() in wanted}
    )


def _within(dn: str, base: str, scope: Scope) -> bool:
    dn, base = dn.lower(), base.lower()
    if scope == "base":
        return dn == base
    below = dn.endswith(f",{base}")
    if scope == "level":
        return below and re.search(r"(?<!\\),", dn[: -len(base) - 1]) is None
    return below or dn == base


def _filter(text: str):
    """A function that says whether an entry matches; the usual forms of RFC 4515."""
    matches, rest = _node(text.strip())
    assert not rest, f"not a filter: {text}"
    return matches


def _node(text: str):
    assert text.startswith("("), text
    sign = text[1]
    if sign in "&|!":
        parts, rest = [], text[2:]
        while rest.startswith("("):
            part, rest = _node(rest)
            parts.append(part)
        assert rest.startswith(")"), text
        judge = {"&": all, "|": any, "!": lambda said: not any(said)}[sign]
        return (lambda entry: judge([one(entry) for one in parts])), rest[1:]
    body, _, rest = text[1:].partition(")")
    return _comparison(body), rest


def _comparison(body: str):
    word, _, wanted = body.partition("=")
    if word.endswith(":1.2.840.113556.1.4.803:"):
        bits = int(wanted)
        return lambda entry: any(int(one) & bits == bits for one in entry.text(word.partition(":")[0]))
    if wanted == "*":
        return lambda entry: bool(entry.values(word))
    pattern = b".*".join(re.escape(_unescaped(part)) for part in wanted.split("*"))
    return lambda entry: any(re.fullmatch(pattern, value, re.DOTALL | re.IGNORECASE) for value in entry.values(word))


def _unescaped(text: str) -> bytes:
    return re.sub(rb"\\([0-9a-fA-F]{2})", lambda found: bytes.fromhex(found[1].decode()), text.encode())
