"""Message encryption of [MS-WSMV] 2.2.9.1: a body of two MIME parts, what it is and the sealed text, for Kerberos and SPNEGO."""

from __future__ import annotations

import re
import struct

from spnego import ContextProxy
from spnego.exceptions import SpnegoError

PROTOCOLS = ("application/HTTP-SPNEGO-session-encrypted", "application/HTTP-Kerberos-session-encrypted")
BOUNDARY = "Encrypted Boundary"
FIRST = re.compile(
    rb"^--\s*Encrypted Boundary\r\n\tContent-Type: ?(?P<protocol>[^\r\n]+)\r\n"
    rb"\tOriginalContent: ?type=application/soap\+xml;charset=(?P<charset>UTF-8|UTF-16);Length=(?P<length>\d+)\r\n"
    rb"--\s*Encrypted Boundary\r\n\tContent-Type: ?application/octet-stream\r\n"
)
LAST = re.compile(rb"--\s*Encrypted Boundary--(\r\n)?$")


class CannotDecrypt(Exception):
    """A body is not sealed by the context of this connection, or is no body of this kind."""


def is_sealed(content_type: str) -> bool:
    """Whether a body of this Content-Type says that it is encrypted."""
    return content_type.lower().startswith("multipart/encrypted")


def protocol_of(content_type: str) -> str:
    """The protocol that the Content-Type names. Raises CannotDecrypt for one that is not there, such as CredSSP's."""
    found = re.search(r'protocol="([^"]+)"', content_type)
    if not found or found.group(1) not in PROTOCOLS or f'boundary="{BOUNDARY}"' not in content_type:
        raise CannotDecrypt(content_type)
    return found.group(1)


def unseal(context: ContextProxy, content_type: str, body: bytes) -> bytes:
    """The text of a body. Raises CannotDecrypt."""
    protocol = protocol_of(content_type)
    first = FIRST.match(body)
    last = LAST.search(body)
    if not first or not last or first.group("protocol").decode() != protocol:
        raise CannotDecrypt("the parts are not as they should be")
    sealed = body[first.end() : last.start()]
    try:
        (signature_bytes,) = struct.unpack("<i", sealed[:4])
        header, data = sealed[4 : 4 + signature_bytes], sealed[4 + signature_bytes :]
        text = context.unwrap_winrm(header, data)
    except (SpnegoError, struct.error) as error:
        raise CannotDecrypt(str(error)) from error
    if len(text) != int(first.group("length")):
        raise CannotDecrypt("its length is not the one that is told")
    return text


def seal(context: ContextProxy, protocol: str, text: bytes) -> tuple[str, bytes]:
    """Content-Type and body of an answer."""
    sealed = context.wrap_winrm(text)
    length = len(text) + sealed.padding_length
    head = (
        f"--{BOUNDARY}\r\n\tContent-Type: {protocol}\r\n"
        f"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length={length}\r\n"
        f"--{BOUNDARY}\r\n\tContent-Type: application/octet-stream\r\n"
    )
    data = struct.pack("<i", len(sealed.header)) + sealed.header + sealed.data
    tail = f"--{BOUNDARY}--\r\n"
    return f'multipart/encrypted;protocol="{protocol}";boundary="{BOUNDARY}"', head.encode() + data + tail.encode()
