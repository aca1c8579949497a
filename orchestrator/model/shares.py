"""What a host says about its file sharing by Samba, and about names apart from DNS: values that checks and plans look at.

Access lists are SDDL with masks as numbers, because Samba reads some pairs of letters as another mask than it printed.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

_SID = re.compile(r"S-1-[0-9-]+")


def sids_in(sddl: str) -> tuple[str, ...]:
    """The accounts that an access list names by number, each once.

    >>> sids_in("O:S-1-5-32-544D:(A;;FA;;;S-1-5-21-1-2-3-1104)(A;;FA;;;S-1-5-32-544)(A;;FR;;;WD)")
    ('S-1-5-32-544', 'S-1-5-21-1-2-3-1104')
    """
    return tuple(dict.fromkeys(_SID.findall(sddl)))


class Share(msgspec.Struct, frozen=True):
    """A share: ``origin`` is smb.conf, registry or usershare; ``administrative`` ones belong to their machine or domain alone.

    ``acl_problem``: why its access list cannot be read; ``sddl`` says nothing then, and the share is moved nowhere.
    """

    name: str
    path: str
    comment: str = ""
    origin: str = "smb.conf"
    options: dict[str, str] = {}
    sddl: str = ""
    administrative: bool = False
    acl_problem: str = ""

    @property
    def is_closed(self) -> bool:
        """Nobody is let in: it waits for a failover, or somebody shut it."""
        return self.options.get("available", "yes").lower() in {"no", "false", "0", "off"}

    @property
    def sids(self) -> tuple[str, ...]:
        """The accounts that its access list names by number."""
        return sids_in(self.sddl)

    def document(self, path: str) -> dict[str, Any]:
        """The share as a step takes it, lying at ``path``."""
        return {
            "name": self.name,
            "path": path,
            "comment": self.comment,
            "options": dict(self.options),
            "sddl": self.sddl,
        }


class HostsLine(msgspec.Struct, frozen=True):
    """A line of a hosts file; names in small letters."""

    address: str
    names: tuple[str, ...]


class Network(msgspec.Struct, frozen=True):
    """An address with its interface and prefix length; ``dynamic``: leased, so it may go."""

    address: str
    prefix: int
    interface: str
    dynamic: bool = False


class Keytab(msgspec.Struct, frozen=True):
    """A keytab file: permission bits, owner's number and principals; never a key. A link is not followed."""

    path: str
    exists: bool
    mode: int = 0
    owner: int = 0
    principals: tuple[str, ...] = ()
    is_link: bool = False

    def problem(self, principal: str) -> str:
        """Why the key of this principal is not safely here; empty when it is root's alone and in the file.

        >>> Keytab("/k", True, 0o600, 0, ("BETA$@LAB.EXAMPLE",)).problem("ALPHA$@LAB.EXAMPLE")
        'holds no key of ALPHA$@LAB.EXAMPLE, only of BETA$@LAB.EXAMPLE'
        """
        if self.is_link:
            return "is a symbolic link, which could be pointed elsewhere"
        if not self.exists:
            return "is not there"
        if self.mode & 0o077 or self.owner != 0:
            return f"can be read by others than root (mode {self.mode:04o}, owner {self.owner})"
        if principal.lower() not in {one.lower() for one in self.principals}:
            return f"holds no key of {principal}, only of {', '.join(self.principals) or 'nobody'}"
        return ""


class Samba(msgspec.Struct, frozen=True):
    """File sharing of one host. ``running`` are the daemons seen as processes; ``unresolved_sids`` have no name here.

    ``resolvers``: the DNS servers that it asks, by address.
    """

    installed: bool
    conf: str = "/etc/samba/smb.conf"
    version: str = ""
    role: str = ""
    workgroup: str = ""
    realm: str = ""
    netbios_name: str = ""
    netbios_aliases: tuple[str, ...] = ()
    dns_names: tuple[str, ...] = ()
    kerberos_method: str = ""
    registry_shares: bool = False
    local_sid: str = ""
    domain_sid: str = ""
    shares: tuple[Share, ...] = ()
    running: tuple[str, ...] = ()
    unresolved_sids: tuple[str, ...] = ()
    hosts: tuple[HostsLine, ...] = ()
    networks: tuple[Network, ...] = ()
    keytabs: tuple[Keytab, ...] = ()
    winbind_names: bool = False
    resolvers: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def is_controller(self) -> bool:
        """Whether it is a domain controller."""
        return self.role.endswith("_DC") or "DOMAIN_CONTROLLER" in self.role

    @property
    def is_member(self) -> bool:
        """Whether it is a member of a domain."""
        return self.role == "ROLE_DOMAIN_MEMBER"

    def share(self, name: str) -> Share | None:
        """The share of that name, in any letters."""
        return next((one for one in self.shares if one.name.lower() == name.lower()), None)

    def keytab(self, path: str) -> Keytab | None:
        """What is known of a keytab, or None when nobody asked."""
        return next((one for one in self.keytabs if one.path == path), None)

    def network(self, address: str) -> Network | None:
        """The interface that carries an address, or None."""
        return next((one for one in self.networks if one.address == address), None)
