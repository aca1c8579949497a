"""Security descriptors as values ([MS-DTYP] 2.4): who owns an object, and who may do what with it. Wire form: ``security_wire``.

What is not understood (kinds of ACE with conditions, bytes behind an ACE) is carried along unchanged, so that reading and
writing back loses nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum, IntFlag
from uuid import UUID

from orchestrator.directory.errors import DescriptorInvalid


class Part(IntFlag):
    """Parts of a descriptor, as the control sdflags numbers them ([MS-ADTS] 3.1.1.3.4.1.11)."""

    OWNER = 1
    GROUP = 2
    DACL = 4
    SACL = 8


class Kind(IntEnum):
    """Kinds of ACE that are told apart here; others keep their number."""

    ALLOW = 0
    DENY = 1
    AUDIT = 2
    ALLOW_OBJECT = 5
    DENY_OBJECT = 6
    AUDIT_OBJECT = 7


class Right(IntFlag):
    """Rights on a directory object ([MS-ADTS] 5.1.3.2)."""

    CREATE_CHILD = 0x1
    DELETE_CHILD = 0x2
    LIST = 0x4
    SELF_WRITE = 0x8
    READ_PROPERTY = 0x10
    WRITE_PROPERTY = 0x20
    DELETE_TREE = 0x40
    LIST_OBJECT = 0x80
    CONTROL_ACCESS = 0x100
    DELETE = 0x10000
    READ_CONTROL = 0x20000
    WRITE_DACL = 0x40000
    WRITE_OWNER = 0x80000


INHERITED = 0x10
"""The ACE flag that says that it came from the parent."""


@dataclass(frozen=True, slots=True)
class Ace:
    """One entry of an access list. ``rest`` is what stands behind the SID, or all behind the head where the kind is unknown."""

    kind: int
    flags: int
    mask: int
    sid: str
    object_type: UUID | None = None
    inherited_type: UUID | None = None
    rest: bytes = b""

    @property
    def is_inherited(self) -> bool:
        """Whether it came from the parent."""
        return bool(self.flags & INHERITED)

    @property
    def denies(self) -> bool:
        """Whether it takes rights away."""
        return self.kind in (Kind.DENY, Kind.DENY_OBJECT, 10, 12)


@dataclass(frozen=True, slots=True)
class Acl:
    """An access list in its order."""

    aces: tuple[Ace, ...] = ()
    revision: int = 4


@dataclass(frozen=True, slots=True)
class Descriptor:
    """Who owns an object and who may do what. ``control`` carries the other flags as they were read.

    A list that is None is not there; where ``control`` says that it is (``DACL_PRESENT``), everybody may do everything.
    """

    owner: str | None = None
    group: str | None = None
    dacl: Acl | None = None
    sacl: Acl | None = None
    control: int = 0

    def with_ace(self, ace: Ace) -> Descriptor:
        """With one more explicit entry, in canonical order: denials before grants, inherited ones last. No second copy.

        Raises:
            DescriptorInvalid: there is no access list; one that held nothing but this entry would shut everybody out.
        """
        if self.dacl is None:
            raise DescriptorInvalid(reason="it has no access list that an entry could be added to")
        aces = self.dacl.aces
        if ace in aces:
            return self
        first_inherited = next((at for at, one in enumerate(aces) if one.is_inherited), len(aces))
        at = 0 if ace.denies else first_inherited
        return replace(self, dacl=replace(self.dacl, aces=(*aces[:at], ace, *aces[at:])))

    def without_ace(self, ace: Ace) -> Descriptor:
        """Without an entry; the same when it is not there."""
        if self.dacl is None:
            return self
        return replace(self, dacl=replace(self.dacl, aces=tuple(one for one in self.dacl.aces if one != ace)))
