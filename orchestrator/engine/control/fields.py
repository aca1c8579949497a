"""The field types of the control API: names, paths, addresses, ports and fingerprints, each with its limits.

A request model refuses unknown fields; an answer model ignores them, so that a newer engine can say more to an older client.
"""

from __future__ import annotations

import ipaddress
import os
import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

MIB = 1024 * 1024
HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.(?!-)[A-Za-z0-9_-]{1,63})*\.?")


class Request(BaseModel):
    """A document somebody sends: frozen, unknown fields refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Answer(BaseModel):
    """A document an engine sends: frozen, unknown fields ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


def absolute_path(text: str) -> str:
    """A clean absolute path, without trailing slash, ``.`` or ``..``."""
    if not text.startswith("/") or "\0" in text:
        msg = "must be an absolute path"
        raise ValueError(msg)
    if ".." in text.split("/"):
        msg = "must not contain '..'"
        raise ValueError(msg)
    return os.path.normpath("/" + text.lstrip("/"))


def address(text: str) -> str:
    """An IP address or a host name."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        if HOST_NAME.fullmatch(text) and len(text) <= 253:
            return text
    msg = "must be an IP address or a host name"
    raise ValueError(msg)


def fingerprint(text: str) -> str:
    """SHA-256 of a certificate in DER form: 64 hexadecimal digits; colons and capitals are accepted."""
    plain = text.replace(":", "").strip().lower()
    if not re.fullmatch(r"[0-9a-f]{64}", plain):
        msg = "must be a SHA-256 fingerprint: 64 hexadecimal digits"
        raise ValueError(msg)
    return plain


Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
Path = Annotated[str, Field(max_length=4096), AfterValidator(absolute_path)]
Address = Annotated[str, Field(max_length=253), AfterValidator(address)]
Port = Annotated[int, Field(ge=1, le=65535)]
Fingerprint = Annotated[str, Field(max_length=120), AfterValidator(fingerprint)]
Epoch = Annotated[int, Field(ge=0, lt=2**63)]
EngineId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Bytes = Annotated[int, Field(ge=0, lt=2**64)]
Sentence = Annotated[str, Field(max_length=1000)]
Command = Annotated[list[Annotated[str, Field(min_length=1, max_length=4096)]], Field(max_length=200)]
