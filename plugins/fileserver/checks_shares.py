"""Checks about shares: that those to be moved are there, lie in protected data, can be made on the target and mean the same there."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.model.findings import Finding
from orchestrator.model.servers import Where
from orchestrator.model.shares import Samba, Share
from orchestrator.sdk import steps
from orchestrator.sdk.checks import View, check
from orchestrator.sdk.sides import root_of
from plugins.fileserver import checks_alike as alike
from plugins.fileserver import sharing

SOURCE, TARGET = Where.SOURCE, Where.TARGET
GOOD_METHODS = frozenset({"", "default", "secrets only", "secrets and keytab"})
"""Values of ``kerberos method`` with which smbd decrypts tickets for any name of its own account."""


def shared(view: View, where: Where) -> Samba | None:
    """What a side says of Samba, where the protection is of a Samba server and the side answers."""
    side = view.inventory.on(where)
    if view.settings.failover.samba is None or side.unreachable:
        return None
    return side.samba


@check("samba-missing", sets=("basic", "failover"), passed="Samba is installed where shares are moved")
def samba_missing(view: View) -> Iterator[Finding]:
    """Without Samba nothing can be said of shares, and none can be made."""
    for where in (SOURCE, TARGET):
        found = shared(view, where)
        if found is not None and (not found.installed or found.problems):
            yield view.error(
                f"Samba on {view.inventory.on(where).name} cannot be used: {'; '.join(found.problems) or 'it is not installed'}",
                where=view.place("failover.samba.conf"),
                why="its shares cannot be read, or not be made there",
                remedy="apt-get install samba, compare failover.samba.conf with what testparm says, or leave failover.samba out",
            )


@check("samba-not-configured", sets=("strict", "failover"), passed="no share of the protected data is forgotten")
def samba_not_configured(view: View) -> Iterator[Finding]:
    """Data that is shared by Samba, protected without its shares, is there after a failover and cannot be reached."""
    side = view.inventory.source
    if view.settings.failover.samba is not None or side.samba is None:
        return
    found = [one.name for one in sharing.eligible(side.samba) if root_of(view.settings, one.path)]
    if found:
        yield view.warning(
            f"{side.name} shares protected data by Samba ({', '.join(found)}), and a failover does not move its shares",
            where=view.place("failover.samba"),
            why="clients of these shares would not find them on the target",
            remedy="let the shares be moved: failover.samba: {}",
        )


@check("share-missing", sets=("basic", "failover"), passed="every share that was chosen is there")
def share_missing(view: View) -> Iterator[Finding]:
    """A chosen share that the source does not have is a mistake of spelling, or was removed."""
    found, wanted = shared(view, SOURCE), view.settings.connection.shares
    if found is None or view.serving is TARGET:
        return
    yield from alike.missing(view, lambda name: "" if found.share(name) else "no share", sharing.eligible(found))
    if found.installed and not wanted.include and not sharing.selected(found, wanted):
        yield alike.nothing_to_move(view, "leave failover.samba out")


@check("share-outside-data", sets=("basic", "data"), passed="the data of every share is protected")
def share_outside(view: View) -> Iterator[Finding]:
    """A share whose directory is not replicated would be empty on the target: it is not moved, and that must be known."""
    yield from alike.outside(view, sharing.chosen(view.settings, shared(view, SOURCE)))


@check("share-on-target", sets=("basic", "failover"), passed="no share of the target is in the way")
def share_on_target(view: View) -> Iterator[Finding]:
    """A share of that name which leads elsewhere belongs to somebody."""
    theirs = shared(view, TARGET)
    if theirs is None or view.serving is TARGET:
        return
    ours = sharing.waiting(view.inventory.target)
    there = {one.name.lower(): (one, one.origin) for one in theirs.shares if one not in ours}
    yield from alike.in_the_way(view, sharing.chosen(view.settings, shared(view, SOURCE)), there)


@check(
    "share-acl-local",
    sets=("basic", "failover"),
    passed="every account in a share's permissions is known on the target",
)
def share_acl(view: View) -> Iterator[Finding]:
    """Accounts of the source's own are nobody on the target; those of the domain must have a name there."""
    ours, theirs = shared(view, SOURCE), shared(view, TARGET)
    for one in sharing.chosen(view.settings, ours):
        local, strange = alike.strangers(one.sids, ours, theirs)
        if local:
            yield view.error(
                f"the permissions of share {one.name} name {', '.join(local)}, known to {view.inventory.source.name} alone",
                where=f"{view.inventory.source.name}, sharesec --viewsddl -- {shlex.quote(one.name)}",
                why="on the target that account does not exist: its people would be shut out, or others let in",
                remedy=f"give the permission to an account of the domain: sharesec --add=... -- {shlex.quote(one.name)}",
            )
        if strange:
            yield view.warning(
                f"{view.inventory.target.name} knows no name for {', '.join(strange)} of share {one.name}",
                where=f"{view.inventory.target.name}, wbinfo --sid-to-name",
                why="the account may have been removed, or the target does not see its domain",
                remedy="look whether winbind runs there and sees the domain; take accounts that are gone out of the permissions",
            )


@check("shares-changed-since", sets=("basic", "failover"), passed="the target knows the shares as they are")
def shares_changed(view: View) -> Iterator[Finding]:
    """A failover reads nothing from the source: the target makes the shares that it was told of at the last enable."""
    theirs, ours = view.inventory.target.takeover, shared(view, SOURCE)
    if theirs is None or "shares" not in theirs or ours is None or view.serving is TARGET:
        return
    differing = alike.differing(theirs["shares"]["shares"], sharing.documents(view.settings, view.inventory))
    if differing:
        yield view.error(
            f"the shares {', '.join(differing)} were changed since {view.inventory.target.name} was told of them",
            where=f"{view.inventory.source.name}, {view.inventory.source.origin('samba')}",
            why="a failover would make them as they were then",
            remedy="tell the target anew, and let it make them ready: dtam enable",
        )


@check("share-acl-unreadable", sets=("basic", "failover"), passed="the permissions of every share can be read")
def share_acl_unreadable(view: View) -> Iterator[Finding]:
    """Permissions that nobody can read are never taken for everyone's: such a share is not moved."""
    for one in sharing.chosen(view.settings, shared(view, SOURCE)):
        if one.acl_problem:
            yield view.error(
                f"the permissions of share {one.name} cannot be read: {one.acl_problem}",
                where=f"{view.inventory.source.name}, {one.origin}",
                why="the target could not give its people the same rights, so it does not get the share",
                remedy=_mend_acl(one),
            )


def _mend_acl(share: Share) -> str:
    name = shlex.quote(share.name)
    if share.origin == "usershare":
        return f"set them anew: net usershare add {name} {shlex.quote(share.path)} '' 'Everyone:R'; or leave it out"
    return f"set them anew: sharesec --replace=... -- {name}; or leave it out: connection.shares.exclude"


@check("shares-not-ready", sets=("basic", "failover"), passed="the shares wait on the target, closed")
def shares_not_ready(view: View) -> Iterator[Finding]:
    """They are made beforehand, so that a failover only opens them; what somebody changed there is made anew."""
    side, theirs = view.inventory.target, shared(view, TARGET)
    document = (side.takeover or {}).get("shares")
    if document is None or theirs is None or not theirs.installed or view.serving is TARGET:
        return
    lacking = [one["name"] for one in document["shares"] if not _is_ready(one, theirs.share(one["name"]))]
    if lacking:
        at = steps.AtTarget(
            side.name, view.protection.id, "post_failover", view.protection.epoch, view.inventory.source.name
        )
        yield view.warning(
            f"the shares {', '.join(lacking)} do not wait on {side.name} as it was told",
            where=f"{side.name}, {side.origin('samba')}",
            why="a failover makes them then, and may find something in their way",
            remedy="make them anew: dtam validate --fix; if the script there is of an earlier version: dtam enable",
            fix=[steps.keep_shares(at, document)],
        )


def _is_ready(wanted: Mapping[str, Any], there: Share | None) -> bool:
    """It is there with its path and permissions; one that is open is looked at by others."""
    return there is not None and (there.path, there.sddl) == (wanted["path"], wanted["sddl"])


@check(
    "kerberos-by-keytab", sets=("basic", "failover"), passed="the target takes tickets for every name of its account"
)
def kerberos_method(view: View) -> Iterator[Finding]:
    """With a keytab alone smbd refuses tickets for names that are not in it."""
    found = shared(view, TARGET)
    if found is not None and found.kerberos_method.lower() not in GOOD_METHODS:
        yield view.error(
            f"kerberos method on {view.inventory.target.name} is {found.kerberos_method}",
            where=f"{view.inventory.target.name}, {found.conf}",
            why="tickets for the source's name would be refused, because its name is not in the keytab",
            remedy="set 'kerberos method = secrets only' (the default) or 'secrets and keytab' in [global]",
        )


@check("domains-differ", sets=("basic", "names"), passed="both servers are members of one domain")
def domains_differ(view: View) -> Iterator[Finding]:
    """The guide supports one flat domain only: permissions name its accounts, and tickets come from it."""
    ours, theirs = shared(view, SOURCE), shared(view, TARGET)
    if ours is None or theirs is None or not ours.installed or not theirs.installed:
        return
    one, other = (f"{found.realm or found.workgroup} as {found.role}" for found in (ours, theirs))
    if (ours.realm.lower(), ours.is_member) != (theirs.realm.lower(), theirs.is_member) and not theirs.is_controller:
        yield view.error(
            f"{view.inventory.source.name} is in {one}, {view.inventory.target.name} in {other}",
            where=f"{ours.conf} of both",
            why="the permissions of the shares, and the clients' tickets, belong to one domain",
            remedy="join both to the same domain; a file server is protected in a flat domain only",
        )


@check("winbind-missing", sets=("basic", "failover"), passed="domain accounts have names on both servers")
def winbind_missing(view: View) -> Iterator[Finding]:
    """A member's smbd that cannot ask winbind refuses valid tickets."""
    for where in (SOURCE, TARGET):
        found, name = shared(view, where), view.inventory.on(where).name
        if found is None or not found.is_member:
            continue
        lacks = [] if found.winbind_names else ["winbind in the passwd line of /etc/nsswitch.conf"]
        lacks += [] if "winbindd" in found.running else ["a running winbindd"]
        if lacks:
            yield view.error(
                f"{name} lacks {' and '.join(lacks)}",
                where=name,
                why="people with valid tickets would be refused there",
                remedy="apt-get install winbind libnss-winbind, add winbind to nsswitch.conf, start winbind",
            )


SHARES = (
    samba_missing,
    samba_not_configured,
    share_missing,
    share_outside,
    share_on_target,
    share_acl,
    share_acl_unreadable,
    shares_changed,
    shares_not_ready,
    domains_differ,
    kerberos_method,
    winbind_missing,
)
