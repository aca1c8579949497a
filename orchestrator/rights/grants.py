"""Which grants a protection takes: one for each account and each object, never for a container where an object will do.

>>> one = Wanted("p", accounts=(Account("BETA$", "S-1"),), computers=(("ALPHA$", "CN=ALPHA"),))
>>> [(grant.who, grant.right, grant.what) for grant in grants(one, samba)]
[('BETA$', 'write servicePrincipalName', 'CN=ALPHA')]
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from orchestrator.rights import bind, hosts, samba, windows
from orchestrator.rights.values import Account, Grant, Node, Wanted

WHY_SPNS = "service names are taken from the one account and given to the other, and back"
WHY_NODES = "the record is pointed to the target, and back"
WHY_NEW = "a name that is not there yet is made at failover"
WHY_LOCK = "the source's account is denied the record while the target serves, and allowed again"


class Tool(Protocol):
    """How rights in a domain are written down: ``samba`` or ``windows``."""

    def write_spns(self, account: Account, dn: str, wanted: Wanted) -> tuple[str, ...]:
        """Write servicePrincipalName of one object."""

    def write_node(self, account: Account, dn: str, wanted: Wanted) -> tuple[str, ...]:
        """Change the records of one name."""

    def lock_node(self, account: Account, dn: str, wanted: Wanted) -> tuple[str, ...]:
        """Change the permissions of one name."""

    def create_node(self, account: Account, zone_dn: str, wanted: Wanted) -> tuple[str, ...]:
        """Make names in a zone."""

    def keytab(self, principal: str, path: str, wanted: Wanted) -> tuple[str, ...]:
        """Get the key of a principal into a file."""


TOOLS: dict[str, Tool] = {"samba": samba, "windows": windows}


def grants(wanted: Wanted, tool: Tool) -> tuple[Grant, ...]:
    """All of them: in the domain, on the DNS servers, on the hosts."""
    return (
        *(grant for account in wanted.accounts for grant in _in_domain(account, wanted, tool)),
        *bind.grants(wanted),
        *hosts.memberships(wanted),
        *hosts.keytabs(wanted, tool.keytab),
    )


def _in_domain(account: Account, wanted: Wanted, tool: Tool) -> Iterator[Grant]:
    where = (
        "anywhere, after kinit as a domain administrator"
        if wanted.controller
        else "a domain controller, as an administrator"
    )
    for _, dn in wanted.computers:
        commands = tool.write_spns(account, dn, wanted)
        yield Grant(account.name, "write servicePrincipalName", dn, WHY_SPNS, where, commands)
    for node in wanted.nodes:
        yield from _on_node(account, node, wanted, tool, where)
    for zone_dn in dict.fromkeys(node.zone_dn for node in wanted.nodes if not node.is_there):
        commands = tool.create_node(account, zone_dn, wanted)
        yield Grant(account.name, "make names", zone_dn, WHY_NEW, where, commands)


def _on_node(account: Account, node: Node, wanted: Wanted, tool: Tool, where: str) -> Iterator[Grant]:
    if not node.is_there:
        return
    yield Grant(account.name, "write dnsRecord", node.dn, WHY_NODES, where, tool.write_node(account, node.dn, wanted))
    if wanted.locks:
        commands = tool.lock_node(account, node.dn, wanted)
        yield Grant(account.name, "change permissions", node.dn, WHY_LOCK, where, commands)
