"""Rights on the hosts themselves: groups of the accounts that log in at engines, and keytabs that only root reads."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator

from orchestrator.rights.values import Grant, Wanted


def memberships(wanted: Wanted) -> Iterator[Grant]:
    """Membership of dtadmin for those who act."""
    for login in wanted.logins:
        commands = (
            "getent group dtadmin || groupadd --system dtadmin",
            f"gpasswd -a {shlex.quote(login.user)} dtadmin",
        )
        why = "who logs in at an engine acts as a member of dtadmin; dtmon is enough to look"
        yield Grant(login.user, "member of dtadmin", login.server, why, f"{login.server}, as root", commands)


def keytabs(wanted: Wanted, made_by: Callable[[str, str, Wanted], tuple[str, ...]]) -> Iterator[Grant]:
    """A key for whoever acts where nobody is there to log in."""
    for one in wanted.keytabs:
        path = shlex.quote(one.path)
        commands = (
            *made_by(one.principal, one.path, wanted),
            f"chown root:root {path} && chmod 0600 {path}",
            f"klist -k {path}  # shows {' '.join(one.principal.split())}",
        )
        server = one.server or "this machine"
        why = "changes of names and service names are signed with it" + (
            "" if not one.server else ", also when nobody else is alive"
        )
        yield Grant(one.principal, "key, readable by root alone", one.path, why, f"{server}, as root", commands)
