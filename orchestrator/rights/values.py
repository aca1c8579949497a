"""What a protection touches, and the rights that this takes."""

from __future__ import annotations

import msgspec


class Account(msgspec.Struct, frozen=True):
    """Who gets rights in the domain. ``sid`` is empty where the directory was not asked; a name with a dollar sign is a computer."""

    name: str
    sid: str = ""

    @property
    def user(self) -> str:
        """The name without its domain."""
        return self.name.rpartition("\\")[2].partition("@")[0]

    @property
    def is_computer(self) -> bool:
        """Whether it is a computer's account."""
        return self.user.endswith("$")


class Node(msgspec.Struct, frozen=True):
    """A name in an AD zone. ``is_there``: it has a dnsNode whose rights can be given; else it is made at failover."""

    name: str
    dn: str
    zone_dn: str
    is_there: bool = True


class SignedName(msgspec.Struct, frozen=True):
    """A name in a zone whose updates are signed with a TSIG key, and the types of its records that change."""

    zone: str
    name: str
    types: tuple[str, ...]


class Login(msgspec.Struct, frozen=True):
    """An account that logs in at a server's engine."""

    server: str
    user: str


class Keytab(msgspec.Struct, frozen=True):
    """A keytab that a server (or the machine that dtam runs on, when ``server`` is empty) needs, and whose key is in it."""

    server: str
    path: str
    principal: str


class Wanted(msgspec.Struct, frozen=True):
    """All that one protection touches. ``computers`` are the DNs of both servers' accounts, empty where no service names move."""

    protection: str
    domain: str = ""
    controller: str = ""
    accounts: tuple[Account, ...] = ()
    computers: tuple[tuple[str, str], ...] = ()
    nodes: tuple[Node, ...] = ()
    locks: bool = False
    key: str = ""
    signed: tuple[SignedName, ...] = ()
    logins: tuple[Login, ...] = ()
    keytabs: tuple[Keytab, ...] = ()
    remarks: tuple[str, ...] = ()


class Grant(msgspec.Struct, frozen=True):
    """One right: who may do what with what, why that is needed, where the commands are run, and the commands."""

    who: str
    right: str
    what: str
    why: str
    run_on: str
    commands: tuple[str, ...]
