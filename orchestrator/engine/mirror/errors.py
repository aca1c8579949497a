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


class StaleGeneration(DtamError):
    template = (
        "replication set {name!r} was saved by somebody else: you changed generation {given}, it is now {current}"
    )
    exit_code = 60
    hint_template = "nothing was overwritten; read the set again, make your change and save it"


class SetConflict(DtamError):
    template = "replication set {name!r} cannot go to {target}: {why}"
    exit_code = 61
    hint_template = "choose a location of its own, outside the data of the set"


class SetIsConnected(DtamError):
    template = "replication set {name!r} is connected to {target} and cannot be deleted"
    exit_code = 62
    hint_template = "disconnect it first"


class SetUnreadable(DtamError):
    template = "replication set {name!r} cannot be read: {why}"
    exit_code = 63
    hint_template = "see which sets there are: GET /v1/replication-sets"
