"""Rights in a Samba domain, by samba-tool on a controller or from afar. An account whose SID is not known is looked up by the commands."""

from __future__ import annotations

import shlex

from orchestrator.rights import aces
from orchestrator.rights.values import Account, Wanted


def write_spns(account: Account, dn: str, wanted: Wanted) -> tuple[str, ...]:
    """Write servicePrincipalName of one object."""
    return _allow(account, dn, wanted, aces.write_attribute(aces.SERVICE_PRINCIPAL_NAME, _sid(account)))


def write_node(account: Account, dn: str, wanted: Wanted) -> tuple[str, ...]:
    """Change the records of one name: dnsRecord, and dNSTombstoned for one that was deleted."""
    sid = _sid(account)
    both = aces.write_attribute(aces.DNS_RECORD, sid) + aces.write_attribute(aces.DNS_TOMBSTONED, sid)
    return _allow(account, dn, wanted, both)


def lock_node(account: Account, dn: str, wanted: Wanted) -> tuple[str, ...]:
    """Change the permissions of one name."""
    return _allow(account, dn, wanted, aces.change_permissions(_sid(account)))


def create_node(account: Account, zone_dn: str, wanted: Wanted) -> tuple[str, ...]:
    """Make names in a zone."""
    return _allow(account, zone_dn, wanted, aces.create_node(_sid(account)))


def keytab(principal: str, path: str, wanted: Wanted) -> tuple[str, ...]:
    """A computer's key is made on it; another's is exported on a controller and carried there by a safe way."""
    user = principal.partition("@")[0]
    if user.endswith("$") and path == "/etc/krb5.keytab":
        return ("net ads keytab create -P",)
    exported = f"samba-tool domain exportkeytab {shlex.quote(path)} --principal={shlex.quote(principal)}"
    where = " ".join((wanted.controller or "a domain controller").split())
    return (f"umask 077; {exported}  # on {where}; then carry it there with scp",)


def _sid(account: Account) -> str:
    return account.sid or "$SID"


def _allow(account: Account, dn: str, wanted: Wanted, sddl: str) -> tuple[str, ...]:
    quoted = shlex.quote(sddl) if account.sid else f'"{sddl}"'
    url = f" -H {shlex.quote(f'ldap://{wanted.controller}')} --use-kerberos=required" if wanted.controller else ""
    change = f"samba-tool dsacl set{url} --objectdn={shlex.quote(dn)} --sddl={quoted}"
    if account.sid:
        return (change,)
    kind = "computer" if account.is_computer else "user"
    show = f"samba-tool {kind} show{url} {shlex.quote(account.user)} --attributes=objectSid"
    return (f"SID=$({show} | sed -n 's/^objectSid: //p')", change)
