"""How two domains are related, by their names. Pure."""

from __future__ import annotations

from plugins.sql.matrix import Forest


def related(source: str, target: str, *, one_directory: bool = False) -> Forest:
    """The relation of two domains by their full DNS names; not told where one of them is not known.

    ``one_directory``: both accounts were found by one controller, so two trees without a common name are one forest all the same.

    >>> str(related("lab.example", "sales.lab.example"))
    'parent_child'
    >>> str(related("north.lab.example", "south.lab.example"))
    'child_child'
    """
    ours, theirs = (tuple(name.lower().rstrip(".").split(".")) if name else () for name in (source, target))
    if not (ours and theirs):
        return Forest.UNKNOWN
    if ours == theirs:
        return Forest.SAME_DOMAIN
    if ours[-len(theirs) :] == theirs or theirs[-len(ours) :] == ours:
        return Forest.PARENT_CHILD
    if len(_common(ours, theirs)) >= 2:
        return Forest.CHILD_CHILD
    return Forest.UNKNOWN if one_directory else Forest.APART


def _common(ours: tuple[str, ...], theirs: tuple[str, ...]) -> tuple[str, ...]:
    """The labels that both names end with."""
    shared = 0
    for one, other in zip(reversed(ours), reversed(theirs), strict=False):
        if one != other:
            break
        shared += 1
    return ours[len(ours) - shared :]
