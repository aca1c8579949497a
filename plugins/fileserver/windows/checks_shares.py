"""Checks about shares of Windows: that those to be moved are there, lie in protected data, can be made on the target and mean the same there."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.model.findings import Finding
from orchestrator.model.windows import EVERY_SCOPE, WindowsShare
from orchestrator.sdk.checks import View, check
from orchestrator.sdk.pair_checks.view import SOURCE, TARGET, failed_over, name, windows_of
from plugins.fileserver import checks_alike as alike
from plugins.fileserver.windows import sharing


def _chosen(view: View) -> tuple[WindowsShare, ...]:
    return sharing.chosen(view.settings, windows_of(view, SOURCE))


@check("windows-share-missing", sets=("basic", "failover"), passed="every share that was chosen is there")
def share_missing(view: View) -> Iterator[Finding]:
    """A chosen share that the source does not have is a mistake of spelling, or was removed."""
    found, wanted = windows_of(view, SOURCE), view.settings.connection.shares
    if found is None or failed_over(view):
        return
    yield from alike.missing(view, lambda share: _instead(found.share(share)), sharing.eligible(found))
    if not wanted.include and not _chosen(view):
        yield alike.nothing_to_move(view, "choose another server")


def _instead(there: WindowsShare | None) -> str:
    if there is None:
        return "no share"
    return "an administrative share, which belongs to its machine," if sharing.administrative(there) else ""


@check("windows-share-outside-data", sets=("basic", "data"), passed="the data of every share is protected")
def share_outside(view: View) -> Iterator[Finding]:
    """A share whose directory is not replicated would be empty on the target: it is not moved, and that must be known."""
    yield from alike.outside(view, _chosen(view))


@check("windows-share-on-target", sets=("basic", "failover"), passed="no share of the target is in the way")
def share_on_target(view: View) -> Iterator[Finding]:
    """A share of that name which leads elsewhere belongs to somebody."""
    theirs = windows_of(view, TARGET)
    if theirs is None or failed_over(view):
        return
    there = {one.name.lower(): (one, f"Get-SmbShare -Name '{one.name}'") for one in theirs.shares}
    yield from alike.in_the_way(view, _chosen(view), there)


@check(
    "windows-share-acl",
    sets=("basic", "failover"),
    passed="every account in a share's permissions is known on the target",
)
def share_acl(view: View) -> Iterator[Finding]:
    """Accounts of the source's own are nobody on the target; those of the domain must have a name there."""
    ours, theirs = windows_of(view, SOURCE), windows_of(view, TARGET)
    for one in _chosen(view):
        local, strange = alike.strangers(one.sids, ours, theirs)
        if local:
            yield view.error(
                f"the permissions of share {one.name} name {', '.join(local)}, known to {name(view, SOURCE)} alone",
                where=f"{name(view, SOURCE)}, Get-SmbShareAccess -Name '{one.name}'",
                why="on the target that account does not exist: its people would be shut out",
                remedy="give the permission to a group of the domain: Grant-SmbShareAccess, then Revoke-SmbShareAccess for the local one",
            )
        if strange:
            yield view.warning(
                f"{name(view, TARGET)} knows no name for {', '.join(strange)} of share {one.name}",
                where=f"{name(view, TARGET)}, share {one.name}",
                why="the account may have been removed, or the target does not see its domain",
                remedy="take accounts that are gone out of the permissions: Revoke-SmbShareAccess",
            )


@check("windows-share-acl-unreadable", sets=("basic", "failover"), passed="the permissions of every share can be read")
def share_unreadable(view: View) -> Iterator[Finding]:
    """Permissions that nobody can read are never taken for everyone's."""
    for one in _chosen(view):
        if not one.sddl:
            yield view.error(
                f"the permissions of share {one.name} cannot be read",
                where=f"{name(view, SOURCE)}, Get-SmbShare -Name '{one.name}'",
                why="the target could not give its people the same rights",
                remedy="see who may read it there; dtam's account needs administrator's rights",
            )


@check("windows-share-clustered", sets=("basic", "failover"), passed="no share belongs to a cluster")
def share_clustered(view: View) -> Iterator[Finding]:
    """A share of a cluster's role moves with the cluster, not with dtam."""
    found = windows_of(view, SOURCE)
    clustered = [one.name for one in found.shares if one.scope != EVERY_SCOPE and not one.special] if found else []
    if clustered:
        yield view.warning(
            f"the shares {', '.join(clustered)} of {name(view, SOURCE)} belong to a cluster's role",
            where=f"{name(view, SOURCE)}, Get-SmbShare",
            why="they are not moved: file servers of a cluster are not protected",
            remedy="leave them to the cluster, or share the data out by the server itself",
        )


@check("windows-shares-changed-since", sets=("basic", "failover"), passed="the target knows the shares as they are")
def shares_changed(view: View) -> Iterator[Finding]:
    """A failover reads nothing from the source: the target makes the shares that it was told of at the last enable."""
    side = view.inventory.target
    if side.takeover is None or "shares" not in side.takeover or windows_of(view, SOURCE) is None or failed_over(view):
        return
    differing = alike.differing(sharing.told(side), sharing.documents(view.settings, view.inventory))
    if differing:
        yield view.error(
            f"the shares {', '.join(differing)} were changed since {side.name} was told of them",
            where=f"{name(view, SOURCE)}, Get-SmbShare",
            why="a failover would make them as they were then",
            remedy="tell the target anew: dtam enable",
        )


SHARES = (
    share_missing,
    share_outside,
    share_on_target,
    share_acl,
    share_unreadable,
    share_clustered,
    shares_changed,
)
