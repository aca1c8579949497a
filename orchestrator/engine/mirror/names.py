"""Which names people may give to replication sets and target locations (Linux guide, chapter 4)."""

from __future__ import annotations

from orchestrator.engine.mirror.errors import IllegalCharacter

ILLEGAL = '.?<>:"/\\*|'


def check_set_name(name: str) -> str:
    """The name, if a replication set may have it.

    Raises:
        IllegalCharacter: it names the character.
    """
    return _check("the replication set name", name, ILLEGAL)


def check_target_location(path: str) -> str:
    """The path, if it may be chosen as a target location.

    The name of the location itself may have none of the characters. The directories above were named by somebody else: in them a
    period is accepted.

    Raises:
        IllegalCharacter: it names the character.
    """
    above, _, name = path.rstrip("/").rpartition("/")
    for part in above.split("/"):
        _check("the target location", part, ILLEGAL.replace(".", ""), shown=path)
    _check("the target location", name, ILLEGAL, shown=path)
    return path


def _check(what: str, name: str, illegal: str, shown: str = "") -> str:
    for character in name:
        if character in illegal:
            raise IllegalCharacter(what=what, name=shown or name, character=character)
    return name
