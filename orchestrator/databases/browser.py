"""SQL Browser: which instances a machine has and where they listen, asked over UDP 1434 (MC-SQLR)."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator

from orchestrator.model.sql import BrowserEntry, SqlBrowser

PORT = 1434
ONE_INSTANCE_S = 1.0
ALL_INSTANCES_S = 3.0
_ALL, _ONE, _ANSWER = b"\x03", b"\x04", 5
_NAME_LIMIT = 32
_TRIES = 2


def browse(host: str, *, port: int = PORT, timeout_s: float = ALL_INSTANCES_S) -> SqlBrowser:
    """All instances that do not hide; silence is a fact. On Linux there is no Browser."""
    return _asked(host, _ALL, port, timeout_s)


def ask_port(host: str, instance: str, *, port: int = PORT, timeout_s: float = ONE_INSTANCE_S) -> SqlBrowser:
    """One instance."""
    return _asked(host, _ONE + instance.encode("ascii", "replace")[:_NAME_LIMIT] + b"\0", port, timeout_s)


def _asked(host: str, question: bytes, port: int, timeout_s: float) -> SqlBrowser:
    """A datagram may be lost: it is sent twice."""
    try:
        with _connected(host, port) as door:
            for _ in range(_TRIES):
                door.settimeout(timeout_s / _TRIES)
                with contextlib.suppress(TimeoutError):
                    door.send(question)
                    return SqlBrowser(parse(door.recv(65535)))
    except ConnectionRefusedError:
        return SqlBrowser(silence=f"no SQL Browser listens at {host} (UDP {port})")
    except OSError as error:
        return SqlBrowser(silence=f"{host} cannot be asked: {error.strerror or error}")
    except ValueError as error:
        return SqlBrowser(silence=f"what {host} answered is not SQL Browser's: {error}")
    return SqlBrowser(silence=f"SQL Browser of {host} did not answer within {timeout_s:g} s (UDP {port})")


@contextlib.contextmanager
def _connected(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that takes answers from that address only."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as door:
        door.connect(address)
        yield door


def parse(answer: bytes) -> tuple[BrowserEntry, ...]:
    """The instances in an answer.

    Raises:
        ValueError: it is not one.
    """
    if len(answer) < 3 or answer[0] != _ANSWER:
        msg = "it does not begin as an answer does"
        raise ValueError(msg)
    (length,) = struct.unpack_from("<H", answer, 1)
    if length != len(answer) - 3:
        msg = f"it says {length} bytes and has {len(answer) - 3}"
        raise ValueError(msg)
    text = answer[3:].decode("utf-8", "replace")
    return tuple(_entry(group) for group in text.split(";;") if group.strip("\0 "))


def _entry(group: str) -> BrowserEntry:
    """Keys and values take turns; keys come in any order, and protocols may be missing."""
    words = group.split(";")
    told = {key.lower(): value for key, value in zip(words[::2], words[1::2], strict=False)}
    if not told.get("instancename"):
        msg = "it names no instance"
        raise ValueError(msg)
    port = told.get("tcp", "")
    return BrowserEntry(
        server=told.get("servername", ""),
        instance=told["instancename"],
        version=told.get("version", ""),
        clustered=told.get("isclustered", "").lower() == "yes",
        port=int(port) if port.isdigit() and 0 < int(port) < 65536 else None,
        pipe=told.get("np", ""),
    )
