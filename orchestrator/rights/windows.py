"""Rights in a Windows domain, by dsacls on a controller or a machine with the remote administration tools."""

from __future__ import annotations

from orchestrator.rights.values import Account, Wanted


def write_spns(account: Account, dn: str, wanted: Wanted) -> tuple[str, ...]:
    """Write servicePrincipalName of one object."""
    return (_grant(account, dn, "WP;servicePrincipalName", wanted),)


def write_node(account: Account, dn: str, wanted: Wanted) -> tuple[str, ...]:
    """Change the records of one name: dnsRecord, and dNSTombstoned for one that was deleted."""
    return tuple(_grant(account, dn, right, wanted) for right in ("WP;dnsRecord", "WP;dNSTombstoned"))


def lock_node(account: Account, dn: str, wanted: Wanted) -> tuple[str, ...]:
    """Change the permissions of one name."""
    return (_grant(account, dn, "RCWDWO", wanted),)


def create_node(account: Account, zone_dn: str, wanted: Wanted) -> tuple[str, ...]:
    """Make names in a zone."""
    return (_grant(account, zone_dn, "CC;dnsNode", wanted),)


def keytab(principal: str, path: str, wanted: Wanted) -> tuple[str, ...]:
    """A computer that was joined by Samba makes its own; for another account ktpass sets a new password and writes the key."""
    user = principal.partition("@")[0]
    if user.endswith("$"):
        return (f"net ads keytab create -P  # writes {path} where dedicated keytab file in smb.conf says so",)
    name = f"{user}@{wanted.domain.upper()}"
    made = (
        f"ktpass /princ {name} /mapuser {user} /crypto AES256-SHA1 /ptype KRB5_NT_PRINCIPAL +rndPass /out dtam.keytab"
    )
    return (f"{made}  (then carry it there as {path})",)


def _grant(account: Account, dn: str, right: str, wanted: Wanted) -> str:
    name = account.name
    if "\\" not in name and "@" not in name and wanted.domain:
        name = f"{wanted.domain.partition('.')[0].upper()}\\{name}"
    return f'dsacls "{dn}" /G "{name}:{right}"'
