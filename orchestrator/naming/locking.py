"""The lock that a directory gives: an entry that denies the source's account to write its name, and the name's owner changed.

The owner of an object may always rewrite its access list, and a name that a host registered belongs to the host. So the owner
becomes the domain's administrators while the name is locked. Locked first, before any record is changed; unlocked last.

Sources: [MS-ADTS] 5.1.3 (rights and owners), [MS-DTYP] 2.4 (descriptors).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeAlias

from orchestrator.directory.errors import AccountMissing, DirectoryError, EntryMissing
from orchestrator.directory.port import Directory
from orchestrator.directory.security import Ace, Descriptor, Kind, Part, Right
from orchestrator.directory.security_wire import decoded, encoded, sid_text
from orchestrator.model.names import NameNode
from orchestrator.naming.errors import LockIncomplete, NamingError
from orchestrator.naming.report import Outcome, State

_DENIED = (
    Right.WRITE_PROPERTY | Right.SELF_WRITE | Right.DELETE | Right.DELETE_TREE | Right.WRITE_DACL | Right.WRITE_OWNER
)
_DOMAIN_ADMINS = "512"

Work: TypeAlias = Callable[[Directory, NameNode], tuple[State, str]]


def account_sid(directory: Directory, account: str) -> str:
    """The SID of an account: a SID as it is, or a computer by its name, with or without domain and dollar sign.

    Raises:
        AccountMissing: the domain has no such computer.
    """
    bare = account.rpartition("\\")[2]
    if bare.upper().startswith("S-1-"):
        return bare.upper()
    entry = directory.computer(bare.rstrip("."))
    raw = next(iter(entry.values("objectSid")), b"")
    if not raw:
        raise AccountMissing(domain=directory.facts().domain, account=account, advice="may this account read it?")
    return sid_text(raw)


def denial(sid: str) -> Ace:
    """The entry that keeps an account from writing, removing or taking over a name."""
    return Ace(int(Kind.DENY), 0, int(_DENIED), sid)


def security_text(descriptor: Descriptor) -> str:
    """A descriptor as it is kept: its bytes in base64."""
    return base64.b64encode(encoded(descriptor)).decode("ascii")


def lock(directory: Directory, nodes: Iterable[NameNode]) -> list[Outcome]:
    """Lock each name that has an account to lock it against. Locked already is no error."""
    return [_tried(directory, node, "locked", _lock) for node in nodes if node.account]


def unlock(directory: Directory, nodes: Iterable[NameNode]) -> list[Outcome]:
    """Give each name back its owner and access list; what others changed in the list meanwhile stays."""
    return [_tried(directory, node, "unlocked", _unlock) for node in nodes if node.account]


def is_locked(directory: Directory, node: NameNode) -> bool:
    """Whether the account may not write, and does not own, the name; a name without account or object is nobody's to lock."""
    if not node.account:
        return True
    try:
        found = directory.security(node.dn)
    except EntryMissing:
        return True
    return _holds(found, node.account) and found.owner != node.account


def is_unlocked(directory: Directory, node: NameNode) -> bool:
    """Whether our entry is gone and the owner is who it was."""
    if not node.account:
        return True
    try:
        found = directory.security(node.dn)
    except EntryMissing:
        return True
    return not _holds(found, node.account) and found.owner == _before(node).owner


def unlocked_form(descriptor: Descriptor, sid: str) -> Descriptor:
    """A descriptor without the entry of a lock."""
    return descriptor.without_ace(denial(sid))


def _tried(directory: Directory, node: NameNode, wanted: str, work: Work) -> Outcome:
    try:
        state, says = work(directory, node)
    except EntryMissing:
        state, says = State.SKIPPED, f"{node.name} is not in the directory any more: nothing to be {wanted}"
    except DirectoryError as error:
        failed = LockIncomplete(
            name=node.name, zone=node.zone, wanted=wanted, account=node.account, reason=str(error), advice=error.hint
        )
        return _outcome(directory, node, State.FAILED, str(failed), failed)
    return _outcome(directory, node, state, says)


def _lock(directory: Directory, node: NameNode) -> tuple[State, str]:
    found = directory.security(node.dn)
    entry = denial(node.account)
    locked = found.with_ace(entry)
    changed = locked != found or found.owner == node.account
    if locked != found:
        directory.set_security(node.dn, locked, Part.DACL)
    if found.owner == node.account:
        directory.set_security(node.dn, replace(locked, owner=_administrators(node.account)), Part.OWNER)
    return (State.DONE if changed else State.ALREADY), f"{node.name} is locked against {node.account}"


def _unlock(directory: Directory, node: NameNode) -> tuple[State, str]:
    found, before = directory.security(node.dn), _before(node)
    free = unlocked_form(found, node.account)
    if before.dacl is not None and free.dacl is not None and set(free.dacl.aces) == set(before.dacl.aces):
        free = replace(free, dacl=before.dacl)
    if free != found:
        directory.set_security(node.dn, free, Part.DACL)
    if before.owner is not None and found.owner != before.owner:
        directory.set_security(node.dn, replace(free, owner=before.owner), Part.OWNER)
    done = free != found or found.owner != before.owner
    return (State.DONE if done else State.ALREADY), f"{node.name} may be written by {node.account} again"


def _before(node: NameNode) -> Descriptor:
    return decoded(base64.b64decode(node.security))


def _holds(descriptor: Descriptor, sid: str) -> bool:
    return descriptor.dacl is not None and denial(sid) in descriptor.dacl.aces


def _administrators(sid: str) -> str:
    """The domain administrators of an account's domain."""
    return f"{sid.rpartition('-')[0]}-{_DOMAIN_ADMINS}"


def _outcome(
    directory: Directory, node: NameNode, state: State, says: str, error: NamingError | None = None
) -> Outcome:
    return Outcome(state, says, directory.server, node.zone, node.name, "lock", error)
