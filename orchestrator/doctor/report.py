"""The report that can be handed in: all rows, without names of hosts, domains, addresses and accounts unless they are wanted. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from orchestrator.doctor.rows import Row
from orchestrator.model.accounts import AccountName
from orchestrator.model.servers import Server

_IPV4 = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b")
_IPV6 = re.compile(r"[0-9a-f]*:[0-9a-f]*:[0-9a-f:.]*", re.IGNORECASE)
_SID = re.compile(r"\bS-1-5-21-[0-9-]+")
_ACCOUNT = re.compile(r"[\w.-]+\\[\w.$-]+(?=, with)")


def document(rows: Sequence[Row], version: str, at_s: int) -> dict[str, Any]:
    """The rows with the version that asked and the time, seconds since the epoch."""
    return {"dtam": version, "at_s": at_s, "rows": [msgspec.to_builtins(row) for row in rows]}


def without_names(rows: Iterable[Row], servers: Sequence[Server]) -> tuple[Row, ...]:
    """The same rows with ``server1``, ``domain``, ``account``, ``address`` in place of what names somebody's network."""
    rows = tuple(rows)
    known = _known(rows, servers)
    return tuple(
        msgspec.structs.replace(
            row, **{field: _plain(getattr(row, field), known) for field in ("server", "assumption", "says", "next")}
        )
        for row in rows
    )


def _known(rows: Sequence[Row], servers: Sequence[Server]) -> list[tuple[re.Pattern[str], str]]:
    """What is replaced by what, the longest first."""
    words: dict[str, str] = {}
    for number, server in enumerate(servers, 1):
        at = server.own_winrm
        for name in (server.name, at.address, at.host_name, at.computer):
            words.setdefault(name, f"server{number}")
        for text in (at.account, at.principal or ""):
            account = AccountName.parse(text) if text else None
            words |= {text: "account"} | ({account.user: "account", account.domain: "domain"} if account else {})
        domain = (at.host_name or at.address).partition(".")[2]
        words.setdefault("" if _IPV4.fullmatch(at.address) and not at.host_name else domain, "domain")
    for row in rows:
        if row.area == "domain" and row.says.startswith("a member of "):
            words.setdefault(row.says.removeprefix("a member of "), "domain")
    longest = sorted((one for one in words if one), key=len, reverse=True)
    return [(re.compile(rf"(?<![\w]){re.escape(one)}(?![\w])", re.IGNORECASE), words[one]) for one in longest]


def _plain(text: str, known: Sequence[tuple[re.Pattern[str], str]]) -> str:
    text = _ACCOUNT.sub("account", text)
    for pattern, word in known:
        text = pattern.sub(word, text)
    text = _IPV6.sub(lambda found: "address" if _is_address(found[0]) else found[0], _IPV4.sub("address", text))
    return _SID.sub("S-1-5-21-...", text)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
