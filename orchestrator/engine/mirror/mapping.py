"""Where the data of a set goes on the target: one-to-one, all-to-one, or a chosen place; and what becomes of links into the set.

A replication set has one root, so a mapping answers with one place; below it relative paths are the same on both sides.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.engine.mirror.errors import SetConflict
from orchestrator.engine.mirror.names import check_target_location
from orchestrator.engine.mirror.rules import RuleSet


class MappingKind(StrEnum):
    """The guide's two predefined places and its custom one."""

    ONE_TO_ONE = "one_to_one"
    ALL_TO_ONE = "all_to_one"
    CUSTOM = "custom"


@dataclass(frozen=True, slots=True)
class TargetMapping:
    """From a root on the source to a root on the target.

    Attributes:
        kind: ONE_TO_ONE keeps the path; ALL_TO_ONE puts it below ``target_root``/source/set; CUSTOM uses ``pairs`` or ``target_root``.
        target_root: absolute.
        pairs: (source, target) absolute paths; the deepest source that contains the root counts.
    """

    kind: MappingKind = MappingKind.ONE_TO_ONE
    target_root: str = ""
    pairs: tuple[tuple[str, str], ...] = ()

    def locate(self, root: str, source_name: str = "", set_name: str = "") -> str:
        """The absolute path on the target for a set's root.

        Raises:
            IllegalCharacter: the chosen place has a character that a target location must not have.
            SetConflict: no pair says where this root goes.
        """
        if self.kind is MappingKind.ONE_TO_ONE:
            return root
        place = self._chosen(root, set_name)
        check_target_location(place)
        if self.kind is MappingKind.CUSTOM:
            return place
        return posixpath.join(place, source_name, set_name, root.strip("/"))

    def _chosen(self, root: str, set_name: str) -> str:
        fitting = [pair for pair in self.pairs if contains(pair[0], root)]
        if self.kind is MappingKind.CUSTOM and fitting:
            source, target = max(fitting, key=lambda pair: len(pair[0]))
            return posixpath.normpath(posixpath.join(target, posixpath.relpath(root, source)))
        if not self.target_root or self.pairs:
            raise SetConflict(name=set_name, target="the target", why=f"no mapping says where {root} goes")
        return posixpath.normpath(self.target_root)


def contains(directory: str, path: str) -> bool:
    """Whether an absolute path is a directory or lies below it."""
    directory, path = posixpath.normpath(directory), posixpath.normpath(path)
    return path == directory or path.startswith(directory.rstrip("/") + "/")


@dataclass(frozen=True, slots=True)
class RemapLink:
    """The guide's option of that name: absolute symbolic links into the set point into the replica on the target.

    Links to a place outside the set, relative links, and all links when ``enabled`` is off stay as they are.
    """

    source_root: bytes
    target_root: bytes
    rules: RuleSet
    enabled: bool = True

    def remap(self, link: bytes) -> bytes:
        """Where the link points to on the target."""
        root = self.source_root.rstrip(b"/")
        if not self.enabled or not (link == root or link.startswith(root + b"/")):
            return link
        inside = posixpath.normpath(link[len(root) :].lstrip(b"/")) if link != root else b""
        if inside.startswith(b"..") or not self.rules.carries(inside):
            return link
        return self.target_root.rstrip(b"/") + link[len(root) :]

    def reversed(self) -> RemapLink:
        """The same for the way back."""
        return RemapLink(self.target_root, self.source_root, self.rules, self.enabled)
