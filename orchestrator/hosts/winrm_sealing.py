"""Sealed messages on plain HTTP: one SOAP message in a multipart body, as [MS-WSMV] 2.2.9.1 has it.

The first part names what is inside and how long it is, the second holds the length of the signature, the signature and the sealed bytes.
"""

from __future__ import annotations

import re
import struct

from spnego import ContextProxy

BOUNDARY = b"--Encrypted Boundary"
PROTOCOL = "application/HTTP-SPNEGO-session-encrypted"
CONTENT_TYPE = f'multipart/encrypted;protocol="{PROTOCOL}";boundary="Encrypted Boundary"'
_LENGTH = re.compile(rb"Length=(\d+)")
_OCTETS = b"\tContent-Type: application/octet-stream\r\n"


def seal(context: ContextProxy, message: bytes) -> bytes:
    """The body of a request whose message only the other side can read."""
    wrapped = context.wrap_winrm(message)
    length = len(message) + wrapped.padding_length
    head = (
        f"\tContent-Type: {PROTOCOL}\r\n\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length={length}\r\n"
    )
    sealed = struct.pack("<i", len(wrapped.header)) + wrapped.header + wrapped.data
    first = BOUNDARY + b"\r\n" + head.encode("ascii")
    return first + BOUNDARY + b"\r\n" + _OCTETS + sealed + BOUNDARY + b"--\r\n"


def is_sealed(content_type: str) -> bool:
    """Whether an answer says that it is sealed."""
    return content_type.lower().startswith("multipart/encrypted")


def unseal(context: ContextProxy, body: bytes) -> bytes:
    """The message of a sealed answer.

    Raises:
        ValueError: it is not of this form, or not as long as it says. SpnegoError: it was tampered with.
    """
    start = body.find(_OCTETS)
    length = _LENGTH.search(body[: max(start, 0)])
    end = body.rfind(BOUNDARY + b"--")
    if length is None or end < start:
        msg = "the sealed answer is not whole"
        raise ValueError(msg)
    sealed = body[start + len(_OCTETS) : end]
    (signature,) = struct.unpack("<i", sealed[:4])
    message = context.unwrap_winrm(sealed[4 : 4 + signature], sealed[4 + signature :])
    if len(message) != int(length[1]):
        msg = "the sealed answer is not as long as it says"
        raise ValueError(msg)
    return message
