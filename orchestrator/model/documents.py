"""Documents that engines hold: compared by what was given, because an engine fills in the defaults of what was not."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

DEFAULTS_DROPPED: tuple[object, ...] = (None, "", (), [], {})


def document_checksum(document: Mapping[str, Any]) -> str:
    """SHA-256 over the content. Keys whose value says nothing (None, empty) count as absent: an engine may fill them in."""
    return hashlib.sha256(msgspec.json.encode(_plain(document), order="sorted")).hexdigest()


def says_all(held: Any, given: Any) -> bool:
    """Whether ``held`` says everything that ``given`` says; more is allowed.

    >>> says_all({"epoch": 2, "monitor": {"missed": 5, "method": "udp"}}, {"epoch": 2, "monitor": {"missed": 5.0}, "name": ""})
    True
    """
    return _says_all(_plain(held), _plain(given))


def _says_all(held: Any, given: Any) -> bool:
    if isinstance(given, dict):
        return isinstance(held, dict) and all(_says_all(held.get(key), one) for key, one in given.items())
    if isinstance(given, list):
        return isinstance(held, list) and len(held) == len(given) and all(map(_says_all, held, given))
    return bool(held == given)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = {str(key): _plain(one) for key, one in value.items()}
        return {key: one for key, one in kept.items() if one not in DEFAULTS_DROPPED}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
