r"""The names of accounts: USER, DOMAIN\USER or USER@DOMAIN, each part at most 100 characters; and of domains.

A domain after ``@`` is a DNS domain of at least two labels: a single-label domain is refused, as the guide has it. The domain before a
backslash is the short (NetBIOS) name. Sources: guide, "Changing domains"; Linux guide, "Logging on and off".
"""

from __future__ import annotations

import re

import msgspec

from orchestrator.model.errors import AccountInvalid

LENGTH_MAX = 100
LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")


class AccountName(msgspec.Struct, frozen=True):
    """An account: its user, and the domain as it was written (empty: the host's own users)."""

    user: str
    domain: str
    written: str

    @classmethod
    def parse(cls, text: str) -> AccountName:
        r"""The parts of a name.

        Raises:
            AccountInvalid: it is not one, or its domain has a single label.

        >>> AccountName.parse("LAB\\ada").domain, AccountName.parse("ada@lab.example").user
        ('LAB', 'ada')
        """
        user, domain = _parts(text)
        if not user or not text.isprintable() or ":" in text or user != user.strip():
            raise AccountInvalid(name=text, why="it names no user")
        if max(len(user), len(domain)) > LENGTH_MAX:
            raise AccountInvalid(name=text[:20] + "…", why=f"its user or domain has more than {LENGTH_MAX} characters")
        if "@" in text and "\\" not in text and (why := domain_problem(domain)):
            raise AccountInvalid(name=text, why=why)
        return cls(user, domain, text)


def _parts(text: str) -> tuple[str, str]:
    if "\\" in text:
        domain, _, user = text.partition("\\")
        return (user, domain) if domain and "\\" not in user else ("", "")
    user, at, domain = text.rpartition("@")
    return (user, domain) if at else (text, "")


def domain_problem(domain: str) -> str:
    """Why this cannot be the DNS name of a domain; empty when it can.

    >>> domain_problem("lab.example"), domain_problem("lab")
    ('', 'lab is a single-label domain: give the full DNS name, such as lab.example.com')
    """
    labels = domain.rstrip(".").split(".")
    if not all(LABEL.fullmatch(label) for label in labels):
        return f"{domain!r} is no DNS domain"
    if len(labels) < 2:
        return f"{domain} is a single-label domain: give the full DNS name, such as {domain}.example.com"
    return ""
