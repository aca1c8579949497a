"""One step of a takeover as a target's script calls it: a kind of identity, a deed, and its document as JSON.

The kinds share one shape: ``show`` looks, ``take`` takes, ``back`` gives back, ``plan`` and ``plan_back`` say what would be done; shares
are also made beforehand (``keep``), made anew where they wait already (``renew``) and taken away again (``drop``). Each
looks before it acts, so that any of them run twice is harmless.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from orchestrator.directory.errors import ControllerUnreachable
from orchestrator.directory.port import Directory, DirectoryAccess
from orchestrator.identity import taken
from orchestrator.identity.accounts import Clock, Pair, SpnMover, TakenSpns
from orchestrator.identity.addresses import AddressDocument, Addresses
from orchestrator.identity.errors import DocumentInvalid
from orchestrator.identity.kept_shares import KeptShares, newest_of
from orchestrator.identity.names import NameDocument, Names
from orchestrator.identity.report import Report
from orchestrator.identity.running import HostRunner, Runner
from orchestrator.identity.shares import ShareDocument, Shares
from orchestrator.identity.spns import Spn, wanted_spns
from orchestrator.identity.wire import RawWire, Wire

Document = TypeVar("Document", bound=msgspec.Struct)


class What(StrEnum):
    """A kind of identity."""

    ADDRESSES = "addresses"
    NAMES = "names"
    SHARES = "shares"
    SPNS = "spns"


class Deed(StrEnum):
    """What is to be done about it."""

    TAKE = "take"
    BACK = "back"
    SHOW = "show"
    KEEP = "keep"
    RENEW = "renew"
    DROP = "drop"


KEEPING = frozenset({Deed.KEEP, Deed.RENEW, Deed.DROP})
"""Deeds for shares alone, which wait on a target while another serves."""


def _open(access: DirectoryAccess) -> Directory:
    from orchestrator.directory.opening import open_directory  # noqa: PLC0415  the other kinds need no directory

    return open_directory(access)


class SpnDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose names go to whom. Each of ``services`` at each of ``names`` is moved, and each of ``spns``.

    ``directory`` is a ``DirectoryAccess`` as JSON; ``await_s`` seconds are given to other controllers to follow.
    """

    source: str
    target: str
    directory: dict[str, Any]
    spns: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    services: tuple[str, ...] = ("HOST", "cifs")
    await_s: float = 5.0

    @property
    def wanted(self) -> tuple[str, ...]:
        """Every name that is to be the target's."""
        return wanted_spns(self.names, self.services, self.spns)


@dataclass(frozen=True, slots=True)
class Hands:
    """What a step touches the world with; fakes take their place in tests."""

    runner: Runner = field(default_factory=HostRunner)
    wire: Wire = field(default_factory=RawWire)
    directory: Callable[[DirectoryAccess], Directory] = _open
    clock: Clock = field(default_factory=lambda: Clock(time.time, time.sleep))


def step(
    what: What,
    deed: Deed,
    text: bytes,
    undo: Path,
    *,
    newest: Path | None = None,
    dry: bool = False,
    hands: Hands | None = None,
) -> Report:
    """Do one step and say what became of it. Shares that were kept are remembered in ``newest``; a takeover takes those.

    Raises:
        DtamError: it cannot be done; the undo file then tells what was.
    """
    hands = hands or Hands()
    if deed in KEEPING and what is not What.SHARES:
        raise DocumentInvalid(reason=f"{what} cannot be kept beforehand, only shares")
    with taken.alone(undo.with_name(str(what)) if what is What.SHARES else undo):
        match what:
            case What.ADDRESSES:
                return _addresses(deed, _read(text, AddressDocument), undo, hands, dry=dry)
            case What.NAMES:
                return _carried(Names(hands.runner, undo), deed, _read(text, NameDocument), dry=dry)
            case What.SHARES if deed in KEEPING:
                kind = KeptShares(hands.runner, undo, newest)
                return _carried(kind, deed, _read(text, ShareDocument), dry=dry)
            case What.SHARES:
                document = newest_of(newest) or _read(text, ShareDocument)
                return _carried(Shares(hands.runner, undo), deed, document, dry=dry)
            case What.SPNS:
                return _spns(deed, _read(text, SpnDocument), undo, hands, dry=dry)


def _carried(kind: Any, deed: Deed, document: msgspec.Struct, *, dry: bool) -> Report:
    """The kinds that are Samba's configuration have deeds of the same names."""
    words = {
        Deed.TAKE: "plan" if dry else "take",
        Deed.BACK: "plan_back" if dry else "back",
        Deed.KEEP: "plan" if dry else "keep",
        Deed.RENEW: "plan_renew" if dry else "renew",
        Deed.DROP: "plan_drop" if dry else "drop",
        Deed.SHOW: "show",
    }
    report: Report = getattr(kind, words[deed])(document)
    return report


def _addresses(deed: Deed, document: AddressDocument, undo: Path, hands: Hands, *, dry: bool) -> Report:
    kind = Addresses(hands.runner, hands.wire, undo, hands.clock.sleep)
    if deed is Deed.BACK:
        return kind.plan_back() if dry else kind.back()
    if deed is Deed.TAKE:
        return kind.plan(document) if dry else kind.take(document)
    return kind.show(document)


def _spns(deed: Deed, document: SpnDocument, undo: Path, hands: Hands, *, dry: bool) -> Report:
    wanted = document.wanted
    for one in wanted:
        Spn.parse(one)
    who = document.directory.get("principal")
    pair = Pair(document.source, document.target, document.await_s, *([str(who)] if who else []))
    with _session(document, undo, hands) as directory:
        kind = SpnMover(directory, pair, undo, hands.clock)
        if deed is Deed.BACK:
            return kind.plan_back() if dry else kind.back()
        if deed is Deed.TAKE:
            return kind.plan(wanted) if dry else kind.take(wanted)
        return kind.show(wanted)


@contextmanager
def _session(document: SpnDocument, undo: Path, hands: Hands) -> Iterator[Directory]:
    """With the controller of an earlier run first, because what it was told the others may not know yet."""
    access = DirectoryAccess.from_document(document.directory)
    kept = taken.load(undo, TakenSpns)
    directory = _again(access, kept.controller, hands) if kept else None
    with directory or hands.directory(access) as session:
        yield session


def _again(access: DirectoryAccess, controller: str, hands: Hands) -> Directory | None:
    try:
        return hands.directory(replace(access, controllers=(controller,)))
    except ControllerUnreachable:
        return None


def _read(text: bytes, kind: type[Document]) -> Document:
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DocumentInvalid(reason=str(error)) from error
