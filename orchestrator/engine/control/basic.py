"""HTTP Basic (RFC 7617, UTF-8) and the limits on what stands in it: names, passwords and domains of at most 100 characters."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

from orchestrator.engine.control.errors import Unauthorised

LENGTH_MAX = 100
HINT = f"names, passwords and domains have at most {LENGTH_MAX} characters; give USER, DOMAIN\\USER or USER@DOMAIN"


@dataclass(frozen=True, slots=True)
class Given:
    """An account's name as it was written, and its password."""

    name: str
    password: str = field(repr=False)


def split_name(text: str) -> tuple[str, str]:
    r"""The user and the domain (empty where none is named) of an account's name.

    >>> split_name("LAB\\ada"), split_name("ada@lab.example"), split_name("ada")
    (('ada', 'LAB'), ('ada', 'lab.example'), ('ada', ''))
    """
    if "\\" in text:
        domain, _, user = text.partition("\\")
        return user, domain
    user, _, domain = text.rpartition("@")
    return (user, domain) if user else (text, "")


def read_basic(credentials: str) -> Given:
    """The name and password of an Authorization header after the word Basic.

    Raises:
        Unauthorised: it is not well-formed, empty, or longer than allowed. The password is in no message.
    """
    try:
        text = base64.b64decode(credentials, validate=True).decode("utf-8")
    except ValueError as error:  # binascii.Error and UnicodeDecodeError are two of them
        raise Unauthorised(why="the Basic credentials are not base64 of UTF-8 text", hint=HINT) from error
    name, colon, password = text.partition(":")
    check_name(name)
    if not colon or not password or "\0" in password:
        raise Unauthorised(why="the Basic credentials hold no password", hint=HINT)
    if len(password) > LENGTH_MAX:
        raise Unauthorised(why=f"the password is longer than {LENGTH_MAX} characters", hint=HINT)
    return Given(name, password)


def check_name(name: str) -> None:
    """Raises Unauthorised for a name that cannot be an account's, before anything else sees it."""
    user, domain = split_name(name)
    if not user or not name.isprintable():
        raise Unauthorised(why="no account is named", hint=HINT)
    for what, part in (("name", user), ("domain", domain)):
        if len(part) > LENGTH_MAX:
            raise Unauthorised(why=f"the account's {what} is longer than {LENGTH_MAX} characters", hint=HINT)
