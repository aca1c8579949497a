"""Which paths a replication set selects (Linux guide, chapter 4).

Words: a rule *names* entries: the one at its path, or those that its wildcard matches. A rule reaches what it names, the entries
directly in a directory that it names, and, when it is recursive, all below. Of the rules that reach a path the one that names the
deepest part of it decides; at equal depth a plain name beats a wildcard, and an exclusion beats an inclusion. Before that a
recursive rule swallows every lower rule of its own type. Rules are text, so they may name what does not exist yet.

Invariant: the answer for a path depends on the rules and on the path only, never on what is on disk.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import translate

from orchestrator.engine.mirror.errors import RulePathRefused

LONGEST_RULE_PATH = 259
"""Characters, of a rule's path (data paths may be longer)."""
CACHED_DIRECTORIES = 20_000
_WILD = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a replication set.

    Attributes:
        path: relative to the root of the set, empty for the root; may hold wildcards (``*``, ``?``, ``[...]``) in any part.
            ``dir/*.db`` names matching entries of ``dir``, and of its subdirectories when recursive.
        include: whether what it reaches is sent to the target.
        recursive: whether it reaches all below.

    Raises:
        RulePathRefused: the path is too long, climbs with ``..``, or holds a NUL.
    """

    path: str = ""
    include: bool = True
    recursive: bool = True

    def __post_init__(self) -> None:
        if len(self.path) > LONGEST_RULE_PATH:
            shown = self.path[:40] + "..."
            raise RulePathRefused(path=shown, why=f"it has {len(self.path)} characters, more than {LONGEST_RULE_PATH}")
        if ".." in self.path.split("/") or "\0" in self.path:
            raise RulePathRefused(path=self.path, why="'..' and NUL have no place in it")

    @property
    def parts(self) -> tuple[str, ...]:
        """The names that the path is made of."""
        return tuple(part for part in self.path.split("/") if part not in {"", "."})

    @property
    def wild(self) -> bool:
        """Whether the last part is a wildcard."""
        return bool(self.parts) and bool(_WILD.search(self.parts[-1]))

    def covers(self, lower: Rule) -> bool:
        """Whether this recursive rule already says all that ``lower``, at the same place or below, says."""
        mine, theirs = self.parts, lower.parts
        if not self.recursive:
            return False
        if not self.wild:
            return theirs[: len(mine)] == mine
        if theirs[: len(mine) - 1] != mine[:-1] or len(theirs) < len(mine):
            return False
        return mine[-1] in {"*", theirs[-1]} or (not lower.wild and _matches(mine[-1], theirs[-1]))


def _matches(pattern: str, name: str) -> bool:
    return re.match(translate(pattern), name) is not None


def _pattern(part: str) -> re.Pattern[bytes]:
    translated = translate(part).encode("utf-8", "surrogateescape")
    return re.compile(translated, re.DOTALL)


class _Compiled:
    """A rule over bytes: the parts of its directory, its last part, and what it says."""

    __slots__ = ("depth", "directory", "include", "last", "recursive", "source", "wild")

    def __init__(self, rule: Rule) -> None:
        parts = [part.encode("utf-8", "surrogateescape") for part in rule.parts]
        self.source = rule
        self.include, self.recursive, self.wild = rule.include, rule.recursive, rule.wild
        self.depth = len(parts)
        self.directory = [_matcher(part) for part in rule.parts[:-1]]
        self.last: bytes | re.Pattern[bytes] = _pattern(rule.parts[-1]) if rule.wild else (parts[-1] if parts else b"")

    def anchored(self, parts: Sequence[bytes]) -> bool:
        """Whether entries of the directory ``parts`` can be named by the last part."""
        floats = self.wild and self.recursive
        if len(parts) != self.depth - 1 and not (floats and len(parts) >= self.depth - 1):
            return False
        return all(_same(mine, theirs) for mine, theirs in zip(self.directory, parts, strict=False))

    def names(self, name: bytes) -> bool:
        """Whether the last part matches."""
        return _same(self.last, name)

    def leads_below(self, parts: Sequence[bytes]) -> bool:
        """Whether something below the directory ``parts`` could be named."""
        if self.wild and self.recursive and len(parts) >= self.depth - 1:
            return self.anchored(parts)
        if len(parts) > self.depth - 1:
            return False
        return all(_same(mine, theirs) for mine, theirs in zip(self.directory, parts, strict=False))


def _matcher(part: str) -> bytes | re.Pattern[bytes]:
    return _pattern(part) if _WILD.search(part) else part.encode("utf-8", "surrogateescape")


def _same(mine: bytes | re.Pattern[bytes], name: bytes) -> bool:
    return mine == name if isinstance(mine, bytes) else mine.match(name) is not None


Claim = tuple[int, int, int, "_Compiled"]
"""Depth of what is named, plain name before wildcard, exclusion before inclusion, the rule."""


def _claim(depth: int, rule: _Compiled) -> Claim:
    return depth, not rule.wild, not rule.include, rule


def _stronger(first: Claim | None, second: Claim | None) -> Claim | None:
    if first is None or second is None:
        return first or second
    return first if first[:3] >= second[:3] else second


class _Directory:
    """What the rules say about the entries of one directory, worked out once."""

    __slots__ = ("depth", "exact", "here", "leads", "passed", "patterns")

    def __init__(
        self, parts: Sequence[bytes], passed: Claim | None, here: Claim | None, rules: list[_Compiled]
    ) -> None:
        self.depth = len(parts)
        self.passed = passed  # by recursive rules that name this directory or one above
        self.here = here  # the same with the rules that reach only the entries of this directory
        anchored = [rule for rule in rules if rule.depth and rule.anchored(parts)]
        self.exact: dict[bytes, list[_Compiled]] = {}
        for rule in anchored:
            if isinstance(rule.last, bytes):
                self.exact.setdefault(rule.last, []).append(rule)
        self.patterns = [rule for rule in anchored if not isinstance(rule.last, bytes)]
        self.leads = [rule for rule in rules if rule.depth and rule.include and rule.leads_below(parts)]

    def named(self, name: bytes) -> list[_Compiled]:
        """The rules that name this entry itself."""
        found = self.exact.get(name, [])
        return found + [rule for rule in self.patterns if rule.names(name)] if self.patterns else found

    def decide(self, name: bytes) -> Claim | None:
        """The strongest claim on an entry."""
        decision = self.here
        for rule in self.named(name):
            decision = _stronger(decision, _claim(self.depth + 1, rule))
        return decision


class RuleSet:
    """Rules compiled; answers are cached by directory, so that a path costs one look-up.

    Args:
        rules: in any order; none at all selects nothing.

    Attributes:
        everything: whether all paths are selected, so that nobody need ask.
        rules: those in force.
        swallowed: those that a recursive rule of the same type above made void.
    """

    def __init__(self, rules: Iterable[Rule] = (Rule(),)) -> None:
        given = list(dict.fromkeys(rules))
        self.rules = tuple(rule for rule in given if not _swallowed(rule, given))
        self.swallowed = tuple(rule for rule in given if rule not in self.rules)
        self._compiled = [_Compiled(rule) for rule in self.rules]
        self.everything = len(self.rules) == 1 and self.rules[0] == Rule(self.rules[0].path) and not self.rules[0].parts
        self._cache: dict[bytes, _Directory] = {}

    def selects(self, path: bytes) -> bool:
        """Whether the set contains this path (relative to its root)."""
        if self.everything:
            return True
        claim = self._decide(path)
        return claim is not None and claim[3].include

    def descends(self, path: bytes) -> bool:
        """Whether something below this directory may be selected: the directory is then made at the target as a way there."""
        if self.everything:
            return True
        directory = self._directory(path)
        for claim in (directory.here, directory.passed):
            if claim is not None and claim[3].include:
                return True
        return bool(directory.leads)

    def carries(self, path: bytes) -> bool:
        """Whether an entry of this path belongs to the target: it is selected, or leads to what is."""
        return self.everything or self.selects(path) or self.descends(path)

    def takes_all(self, directory: bytes) -> bool:
        """Whether every entry directly in a directory is selected, and no rule names one of them."""
        if self.everything:
            return True
        found = self._directory(directory)
        return found.here is not None and found.here[3].include and not (found.exact or found.patterns)

    def owns(self, path: bytes) -> bool:
        """Whether a path that only the target has is an orphan: selected, or left out by nothing but a wildcard (chapter 10)."""
        if self.everything:
            return True
        claim = self._decide(path)
        return claim is not None and (claim[3].include or claim[3].wild)

    def _decide(self, path: bytes) -> Claim | None:
        if not path:
            return self._root_claim(reaching_entries=True)
        directory, _, name = path.rpartition(b"/")
        return self._directory(directory).decide(name)

    def _directory(self, path: bytes) -> _Directory:
        found = self._cache.get(path)
        if found is None:
            if len(self._cache) >= CACHED_DIRECTORIES:
                self._cache.clear()
            found = self._cache[path] = self._compile(path)
        return found

    def _compile(self, path: bytes) -> _Directory:
        parts = path.split(b"/") if path else []
        if not parts:
            passed, here = self._root_claim(reaching_entries=False), self._root_claim(reaching_entries=True)
            return _Directory(parts, passed, here, self._compiled)
        parent_path, _, name = path.rpartition(b"/")
        parent = self._directory(parent_path)
        passed = here = parent.passed
        for rule in parent.named(name):
            claim = _claim(len(parts), rule)
            passed = _stronger(passed, claim) if rule.recursive else passed
            here = _stronger(here, claim) if rule.recursive or not rule.wild else here
        return _Directory(parts, passed, here, self._compiled)

    def _root_claim(self, *, reaching_entries: bool) -> Claim | None:
        best: Claim | None = None
        for rule in self._compiled:
            if rule.depth == 0 and (reaching_entries or rule.recursive):
                best = _stronger(best, _claim(0, rule))
        return best


def _swallowed(rule: Rule, rules: Sequence[Rule]) -> bool:
    return any(
        other is not rule and other.include == rule.include and other.covers(rule) and not _tie(rule, other, rules)
        for other in rules
    )


def _tie(rule: Rule, other: Rule, rules: Sequence[Rule]) -> bool:
    """Two rules that cover each other: the one given first stays."""
    return rule.covers(other) and rules.index(rule) < rules.index(other)
