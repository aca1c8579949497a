r"""Paths of either platform: which lies inside which, and what one becomes below another directory.

Paths of Windows begin with a drive and know no case; all others are POSIX's.
"""

from __future__ import annotations

import re

_DRIVE = re.compile(r"[A-Za-z]:")


def is_windows(path: str) -> bool:
    r"""Whether a path is one of Windows.

    >>> is_windows(r"E:\data"), is_windows("/srv/data")
    (True, False)
    """
    return bool(_DRIVE.match(path))


def separator(path: str) -> str:
    """What stands between the parts of a path."""
    return "\\" if is_windows(path) else "/"


def inside(path: str, outer: str) -> bool:
    r"""Whether a path is a directory or lies in it.

    >>> inside(r"e:\Data\x", r"E:\data"), inside(r"E:\database", r"E:\data"), inside(r"E:\x", "E:\\")
    (True, False, True)
    """
    if is_windows(path) != is_windows(outer):
        return False
    fold = str.lower if is_windows(path) else str
    base, own = fold(outer).rstrip(separator(outer)), fold(path).rstrip(separator(path))
    return own == base or own.startswith(base + separator(path))


def same(path: str, other: str) -> bool:
    r"""Whether two paths are one directory.

    >>> same("e:\\Data\\", r"E:\data"), same("/srv/Files", "/srv/files")
    (True, False)
    """
    return inside(path, other) and inside(other, path)


def moved(path: str, outer: str, other: str) -> str:
    r"""What a path inside ``outer`` is called below ``other``.

    >>> moved(r"E:\data\x", r"E:\data", r"F:\copy"), moved("/srv/files", "/srv/files", "/r")
    ('F:\\copy\\x', '/r')
    """
    rest = path[len(outer.rstrip(separator(outer))) :].strip(separator(path))
    base = other.rstrip(separator(other))
    if not rest:
        return other if is_windows(other) or base == "" else base
    return separator(other).join([base, *rest.split(separator(path))])


def outermost(paths: list[str]) -> list[str]:
    """Those of the paths that lie in no other one, in order."""
    kept: list[str] = []
    for path in sorted(set(paths), key=lambda one: one.lower() if is_windows(one) else one):
        if not any(inside(path, outer) for outer in kept):
            kept.append(path)
    return kept
