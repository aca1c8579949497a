"""What the other rooms see of a directory: how to get in, what is read, what is written.

The adapter is ``orchestrator.directory.opening.open_directory``; what any adapter must do stands in
``tests/conformance/test_directory.py``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple, Protocol, Self, TypeAlias

from orchestrator.directory.errors import AccessInvalid
from orchestrator.directory.security import Descriptor, Part

Scope: TypeAlias = Literal["base", "level", "subtree"]
Value: TypeAlias = str | bytes
_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class DirectoryAccess:
    """How to get into a domain. Secrets are read from their files when they are needed, and never held here."""

    domain: str
    """Its DNS name, such as ``lab.example``; a single label is refused (AM-02)."""
    controllers: tuple[str, ...] = ()
    """Names or addresses; none: those of the SRV record ``_ldap._tcp.dc._msdcs.<domain>``."""
    principal: str | None = None
    """``BETA$``, ``user@domain`` or ``DOMAIN\\user``; None: whoever the ticket cache of this process belongs to."""
    keytab: Path | None = None
    """Where the principal's key is; tickets are kept in a cache of our own."""
    password_file: Path | None = None
    """Where the principal's password is, of mode 0600; the first line counts."""
    ca_file: Path | None = None
    """Given: LDAPS with a certificate that this authority signed, instead of Kerberos sealing."""
    dns_servers: tuple[str, ...] = ()
    """Addresses that are asked for the controllers; none: the system's resolver."""
    timeout_s: float = 10.0
    """For one question or answer."""

    @property
    def realm(self) -> str:
        """The Kerberos realm: the domain in capitals."""
        return self.domain.upper()

    def to_document(self) -> dict[str, Any]:
        """As JSON values; files by path, so that no secret is in it."""
        return {
            word: str(value) if isinstance(value, Path) else list(value) if isinstance(value, tuple) else value
            for word, value in asdict(self).items()
            if value not in (None, ())
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """From what ``to_document`` gave.

        Raises:
            AccessInvalid: a word is not known or does not hold what it should, or the domain is missing.
        """
        unknown = sorted(set(document) - {one.name for one in fields(cls)})
        if unknown or not document.get("domain"):
            reason = f"{', '.join(unknown)} is not a word of it" if unknown else "it names no domain"
            raise AccessInvalid(reason=reason, advice=f"its words: {', '.join(one.name for one in fields(cls))}")
        wrong = sorted(word for word, value in document.items() if not _fits(word, value))
        if wrong:
            advice = (
                "controllers and dns_servers are lists of texts, timeout_s is a number above 0, all others are texts"
            )
            raise AccessInvalid(reason=f"{', '.join(wrong)} holds what it should not", advice=advice)
        paths = {word: Path(document[word]) for word in ("keytab", "password_file", "ca_file") if document.get(word)}
        lists = {word: tuple(document[word]) for word in ("controllers", "dns_servers") if document.get(word)}
        return cls(**{**document, **paths, **lists})


def _fits(word: str, value: object) -> bool:
    """Whether a word of an access as JSON may hold this."""
    if word in ("controllers", "dns_servers"):
        return isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)
    if word == "timeout_s":
        return isinstance(value, int | float) and value > 0
    return isinstance(value, str) or (value is None and word != "domain")


@dataclass(frozen=True, slots=True)
class Entry:
    """An object of the directory as it was read. Names of attributes are compared without regard to case."""

    dn: str
    attributes: Mapping[str, tuple[bytes, ...]]

    def values(self, name: str) -> tuple[bytes, ...]:
        """All values of an attribute; none when it is absent."""
        wanted = name.lower()
        return next((values for one, values in self.attributes.items() if one.lower() == wanted), ())

    def text(self, name: str) -> tuple[str, ...]:
        """All values of an attribute as text; bytes that are not UTF-8 stand as replacement characters."""
        return tuple(value.decode("utf-8", "replace") for value in self.values(name))

    def first(self, name: str) -> str | None:
        """The first value as text; None when the attribute is absent."""
        return next(iter(self.text(name)), None)


@dataclass(frozen=True, slots=True)
class Add:
    """Values that come to an attribute; one that is there already fails the change (ValueChanged)."""

    attribute: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Delete:
    """Values that go, in the stored spelling; one that is not there fails the change (ValueChanged). No values: all."""

    attribute: str
    values: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class Replace:
    """All values of an attribute, unconditionally; no values: the attribute goes."""

    attribute: str
    values: tuple[Value, ...] = ()


Change: TypeAlias = Add | Delete | Replace


@dataclass(frozen=True, slots=True)
class Controller:
    """A domain controller as the directory's configuration lists it."""

    name: str
    address: str | None
    """None: its name does not resolve."""
    site: str
    is_gc: bool


@dataclass(frozen=True, slots=True)
class DomainFacts:
    """What a controller says of itself and its domain."""

    domain: str
    netbios: str
    forest_root: str
    base_dn: str
    config_dn: str
    schema_dn: str
    controller: str
    site: str
    time_ns: int
    """The controller's clock, since 1970; whole seconds on most servers."""
    highest_usn: int
    contexts: tuple[str, ...] = ()
    """Every naming context that the controller holds, those of DNS zones included."""

    def clock_ahead_s(self, now_ns: int) -> float:
        """By how many seconds the controller's clock is ahead of ours."""
        return (self.time_ns - now_ns) / _NS


class Refused(NamedTuple):
    """A controller that would not pull an object at once, and why."""

    controller: str
    reason: str


class Directory(Protocol):
    """A session with one controller. Not for several threads at once. Every method may raise ``DirectoryError``."""

    @property
    def server(self) -> str:
        """The controller that this session uses for everything, by name."""
        ...

    def facts(self) -> DomainFacts:
        """What the controller says now."""
        ...

    def find(self, base: str, filter_: str, attributes: Sequence[str], scope: Scope = "subtree") -> Iterator[Entry]:
        """Entries as they come, page after page; one page is in memory.

        Raises:
            EntryMissing: the base is not there.
        """
        ...

    def read(self, dn: str, attributes: Sequence[str]) -> Entry | None:
        """One object; None when it is not there, or not to be seen."""
        ...

    def change(self, dn: str, changes: Sequence[Change]) -> None:
        """Make all changes or none.

        Raises:
            ValueChanged: a value to be deleted is gone, or one to be added is there.
            RightMissing: this account may not.
            SpnNotUnique: another account holds the principal name.
            EntryMissing: there is no such object.
        """
        ...

    def add(self, dn: str, attributes: Mapping[str, Sequence[Value]]) -> None:
        """Make an object.

        Raises:
            ValueChanged: it is there already.
        """
        ...

    def remove(self, dn: str) -> None:
        """Delete an object that has none beneath it.

        Raises:
            EntryMissing: it is not there.
        """
        ...

    def computer(self, name: str) -> Entry:
        """A computer's account, found by ``NAME``, ``NAME$`` or its DNS name.

        Raises:
            AccountMissing: there is none.
        """
        ...

    def account(self, name: str) -> Entry:
        """Any account: a computer's as ``computer`` has it, a user's or a managed service's by its ``sAMAccountName``.

        Raises:
            AccountMissing: there is none.
        """
        ...

    def controllers(self) -> tuple[Controller, ...]:
        """The controllers of this domain, ordered by name."""
        ...

    def domains(self) -> tuple[str, ...]:
        """The DNS names of all domains of the forest, in order."""
        ...

    def find_in_forest(self, filter_: str, attributes: Sequence[str]) -> Iterator[Entry]:
        """Objects of every domain of the forest, as a global catalog has them; it holds some attributes only, and may be a little behind.

        Raises:
            ControllerUnreachable: no global catalog of the forest answers.
        """
        ...

    def security(self, dn: str) -> Descriptor:
        """Owner, group and DACL of an object.

        Raises:
            EntryMissing: it is not there, or its descriptor is not to be seen.
        """
        ...

    def set_security(self, dn: str, descriptor: Descriptor, parts: Part) -> None:
        """Write the named parts of a descriptor, and leave the others alone."""
        ...

    def replicate(self, dn: str) -> tuple[Refused, ...]:
        """Ask every other controller to pull this object from ours now; those that would not, with the reason."""
        ...

    def shown_by(self, dn: str, attribute: str, wanted: Collection[Value]) -> tuple[tuple[str, bool], ...]:
        """Of each controller, whether it shows exactly these values (none: also when the object is not there).

        Asked once; the caller waits and asks again. A controller that does not answer shows nothing, and is logged.
        """
        ...

    def close(self) -> None:
        """End the session; a ticket cache made for it goes too."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
