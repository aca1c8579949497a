"""What can be wrong with a replication set or a mirror (exit codes 58-63)."""

from __future__ import annotations

from orchestrator.errors import DtamError


class IllegalCharacter(DtamError):
    template = "{what} {name!r} contains {character!r}, which is not allowed in it"
    exit_code = 58
    hint_template = 'choose one without . ? < > : " / \\ * and |'


class RulePathRefused(DtamError):
    template = "the rule path {path!r} cannot be used: {why}"
    exit_code = 59
    hint_template = "a rule path has at most 259 characters and lies under the root of its replication set"


class SetConflict(DtamError):
    template = "replication set {name!r} cannot go to {target}: {why}"
    exit_code = 61
    hint_template = "choose a location of its own, outside the data of the set"
