r"""ldap3 2.10.2rc4 sends the escapes of a filter as they are written, so that ``(cn=a\2ab)`` finds nothing. Mended here.

The release is pinned exactly, and the conformance suite searches for such a value: when a later release does it right, this file
goes.
"""

from __future__ import annotations

import re

import ldap3.operation.search

_ESCAPE = re.compile(rb"\\([0-9a-fA-F]{2})")


def mend() -> None:
    """Let ldap3 send the bytes that the escapes stand for (RFC 4515 section 3). Doing it twice is harmless."""
    ldap3.operation.search.prepare_filter_for_sending = as_sent


def as_sent(value: str | bytes) -> bytes:
    """A value of a filter with its escapes resolved."""
    raw = value.encode() if isinstance(value, str) else value
    return _ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), raw)
