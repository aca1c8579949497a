"""Values made safe for a filter (RFC 4515) and for a distinguished name (RFC 4514), and names taken apart."""

from __future__ import annotations

import re

_FILTER_SPECIAL = frozenset(b"*()\\\0")
_DN_SPECIAL = frozenset(',+"\\<>;=')
_PART = r"(?:[^,\\]|\\.)+"
_SITE = re.compile(rf",CN=Servers,CN=(?P<site>{_PART}),CN=Sites,", re.IGNORECASE)
_FIRST = re.compile(rf"^{_PART},")


def filter_text(value: str | bytes) -> str:
    """A value that stands for itself in a filter, whatever is in it; bytes that are not plain ASCII are escaped."""
    raw = value.encode() if isinstance(value, str) else value
    return "".join(chr(one) if 0x20 <= one < 0x7F and one not in _FILTER_SPECIAL else f"\\{one:02x}" for one in raw)


def dn_value(value: str) -> str:
    """A value that stands for itself in a distinguished name."""
    last = len(value) - 1
    return "".join(_dn_character(one, at, last) for at, one in enumerate(value))


def _dn_character(one: str, at: int, last: int) -> str:
    if one in _DN_SPECIAL or (one == " " and at in (0, last)) or (one == "#" and at == 0):
        return f"\\{one}"
    return f"\\{ord(one):02x}" if ord(one) < 0x20 or ord(one) == 0x7F else one


def domain_of(base_dn: str) -> str:
    """``DC=lab,DC=example`` as ``lab.example``; parts that are not DC are left out."""
    pairs = (part.strip().partition("=") for part in base_dn.split(","))
    return ".".join(value for word, _, value in pairs if word.strip().lower() == "dc")


def site_of(server_dn: str) -> str:
    """The site of ``CN=DC1,CN=Servers,CN=Paris,CN=Sites,CN=Configuration,...``; empty where there is none."""
    found = _SITE.search(server_dn)
    return re.sub(r"\\(.)", r"\1", found["site"]) if found else ""


def parent_of(dn: str) -> str:
    """The distinguished name without its first part."""
    return _FIRST.sub("", dn, count=1)
