"""Field types of the settings: names, paths, addresses, each with its limits and a message a person understands."""

from __future__ import annotations

import ipaddress
import posixpath
import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationInfo

_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
AS_KEPT = {"as_kept": True}
"""The context in which settings are read that were accepted once."""


class Tab(BaseModel):
    """A group of settings: frozen, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def chosen_now(info: ValidationInfo) -> bool:
    """Whether somebody chooses these settings now; what was accepted once (``AS_KEPT``) is read, however strict choosing has become."""
    return info.context is not AS_KEPT


def clean_path(text: str) -> str:
    """An absolute path without trailing slash, ``.`` or ``..``; control characters are refused."""
    if not text.startswith("/"):
        msg = "must be an absolute path"
        raise ValueError(msg)
    illegal = next((char for char in text if ord(char) < 32 or ord(char) == 127), None)
    if illegal is not None:
        msg = f"must not contain the character {illegal!r}"
        raise ValueError(msg)
    if ".." in text.split("/"):
        msg = "must not contain '..'"
        raise ValueError(msg)
    return posixpath.normpath("/" + text.lstrip("/"))


def data_path(text: str) -> str:
    r"""A path of data: absolute as ``clean_path`` has it, or of Windows with its drive (``E:\\data``), never a share's."""
    if not _DRIVE.match(text):
        return clean_path(text)
    illegal = next((char for char in text[2:] if ord(char) < 32 or char in '<>:"|?*'), None)
    if illegal is not None:
        msg = f"must not contain the character {illegal!r}"
        raise ValueError(msg)
    parts = [part for part in re.split(r"[\\/]+", text[2:]) if part not in {"", "."}]
    if ".." in parts:
        msg = "must not contain '..'"
        raise ValueError(msg)
    return f"{text[0].upper()}:\\" + "\\".join(parts)


def short_name(text: str) -> str:
    """A server's or a service's short name: letters, digits, hyphen, underscore and dot."""
    return _checked(text, re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"), "letters, digits, '-', '_' and '.'")


def client_name(text: str) -> str:
    """The full DNS name that clients use; a single-label domain is refused, as the guide does."""
    bare = text.strip().rstrip(".")
    for label in bare.split("."):
        if not _LABEL.fullmatch(label):
            illegal = next((char for char in label if not re.match(r"[A-Za-z0-9_-]", char)), None)
            why = (
                f"the character {illegal!r} is not allowed in {label!r}"
                if illegal
                else f"the label {label!r} is not allowed"
            )
            raise ValueError(why)
    labels = bare.split(".")
    if len(labels) < 2:
        msg = f"{bare!r} has no domain: give the full name that clients use, such as {bare}.example.com"
        raise ValueError(msg)
    if len(labels) < 3:
        msg = f"the domain {labels[1]!r} is a single label: names must include a suffix, such as {bare}.com"
        raise ValueError(msg)
    return bare.lower()


def domain_name(text: str) -> str:
    """A domain's full DNS name; a single label is refused, as the guide does."""
    bare = text.strip().rstrip(".")
    if "." not in bare:
        msg = f"the domain {bare!r} is a single label: names must include a suffix, such as {bare}.com"
        raise ValueError(msg)
    illegal = next((label for label in bare.split(".") if not _LABEL.fullmatch(label)), None)
    if illegal is not None:
        msg = f"the label {illegal!r} is not allowed"
        raise ValueError(msg)
    return bare.lower()


def ip_address(text: str) -> str:
    """An IPv4 or IPv6 address."""
    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError:
        msg = f"{text!r} is not an IP address"
        raise ValueError(msg) from None


def server_address(text: str) -> str:
    """A name server or host: an IP address, ``address:port`` or ``[address]:port``."""
    plain = text.strip()
    host, _, port = plain.rpartition(":") if re.fullmatch(r"(\[[^]]+\]|[^:]+):\d+", plain) else (plain, "", "")
    ip_address(host.strip("[]"))
    if port and not 0 < int(port) < 65536:
        msg = f"port {port} is not between 1 and 65535"
        raise ValueError(msg)
    return plain


def fingerprint(text: str) -> str:
    """SHA-256 of a certificate: 64 hexadecimal digits; colons and capitals are accepted."""
    plain = text.replace(":", "").strip().lower()
    if not re.fullmatch(r"[0-9a-f]{64}", plain):
        msg = "must be a SHA-256 fingerprint: 64 hexadecimal digits"
        raise ValueError(msg)
    return plain


def _checked(text: str, pattern: re.Pattern[str], allowed: str) -> str:
    if pattern.fullmatch(text):
        return text
    illegal = next((char for char in text if not re.match(r"[A-Za-z0-9._-]", char)), None)
    what = f"the character {illegal!r} is not allowed" if illegal else "must begin with a letter or digit"
    msg = f"{what}; use {allowed}"
    raise ValueError(msg)


ShortName = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(short_name)]
ClientName = Annotated[str, Field(min_length=1, max_length=253), AfterValidator(client_name)]
AbsolutePath = Annotated[str, Field(max_length=4096), AfterValidator(clean_path)]
DataPath = Annotated[str, Field(max_length=4096), AfterValidator(data_path)]
IpAddress = Annotated[str, Field(max_length=64), AfterValidator(ip_address)]
NameServerAddress = Annotated[str, Field(max_length=80), AfterValidator(server_address)]
Fingerprint = Annotated[str, Field(max_length=120), AfterValidator(fingerprint)]
Port = Annotated[int, Field(ge=1, le=65535)]
Command = Annotated[tuple[Annotated[str, Field(min_length=1, max_length=4096)], ...], Field(max_length=200)]
CheckId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=80)]
DomainName = Annotated[str, Field(min_length=1, max_length=253), AfterValidator(domain_name)]
ServiceName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._$ -]{0,99}$")]
Principal = Annotated[str, StringConstraints(pattern=r"^[^\s\x00-\x1f\"']{1,250}$")]
