"""Asking the source whether it is there, and answering when asked.

UDP probe: ``DTPROBE1`` + 16 random bytes is answered with ``DTALIVE1`` + the same 16 + the engine's id (16 bytes); anything else
gets nothing, and an answer is never longer than 1.7 times its question, so the responder is no amplifier. ICMP: echo over a ping
socket where the kernel allows it (net.ipv4.ping_group_range), else over a raw socket (root).
"""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
import socket
import struct
import time
from collections.abc import Awaitable, Callable

from orchestrator.engine.monitor.verdict import Answer, Method, MonitorSettings

PROBE_MAGIC = b"DTPROBE1"
ALIVE_MAGIC = b"DTALIVE1"
NONCE_BYTES = 16
PROBE_BYTES = len(PROBE_MAGIC) + NONCE_BYTES


class ProbeResponder(asyncio.DatagramProtocol):
    """Answers UDP probes; embedded by the daemon.

    ``engine_id`` is 16 bytes. ``await start(address, port)`` gives the port bound (0 chooses one); ``close()`` ends it.
    """

    def __init__(self, engine_id: bytes) -> None:
        if len(engine_id) != 16:
            raise ValueError("an engine id is 16 bytes")
        self._engine_id = engine_id
        self._transport: asyncio.DatagramTransport | None = None

    async def start(self, address: str, port: int) -> int:
        """Listen. Raises OSError when the port is taken."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(address, port))
        return int(transport.get_extra_info("sockname")[1])

    def close(self) -> None:
        """Answer no more."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        self._transport = transport  # type: ignore[assignment]

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        """Called by asyncio for each datagram."""
        if self._transport is not None and len(data) == PROBE_BYTES and data.startswith(PROBE_MAGIC):
            self._transport.sendto(ALIVE_MAGIC + data[len(PROBE_MAGIC) :] + self._engine_id, addr)


class _Asker(asyncio.DatagramProtocol):
    """One datagram socket that waits for one answer; whatever is not that answer is ignored."""

    def __init__(self, expected: Callable[[bytes], bool]) -> None:
        self._expected = expected
        self.answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002 - the library's signature
        """Called by asyncio."""
        if not self.answer.done() and self._expected(data):
            self.answer.set_result(None)

    def error_received(self, exc: Exception) -> None:
        """Called by asyncio: nobody listens there, or no route."""
        if not self.answer.done():
            self.answer.set_exception(exc)


async def ask_udp(address: str, port: int, timeout_s: float, engine_id: bytes | None = None) -> Answer:
    """Ask the engine at an address; with ``engine_id`` only that engine's answer counts."""
    nonce = secrets.token_bytes(NONCE_BYTES)

    def expected(data: bytes) -> bool:
        head, identity = data[:PROBE_BYTES], data[PROBE_BYTES:]
        return head == ALIVE_MAGIC + nonce and (engine_id is None or identity == engine_id)

    loop = asyncio.get_running_loop()
    made = loop.create_datagram_endpoint(lambda: _Asker(expected), remote_addr=(address, port))
    return await _ask(address, "udp", made, PROBE_MAGIC + nonce, timeout_s)


async def ask_icmp(address: str, timeout_s: float) -> Answer:
    """Send one echo request."""
    started_s = time.monotonic()
    try:
        async with asyncio.timeout(timeout_s):
            await _echo(address)
    except TimeoutError:
        return Answer(address, "icmp", answered=False, says="no answer")
    except PermissionError:
        return Answer(address, "icmp", answered=False, says="this process may not send echo requests")
    except OSError as error:
        return Answer(address, "icmp", answered=False, says=error.strerror or str(error))
    return Answer(address, "icmp", answered=True, round_trip_s=time.monotonic() - started_s)


async def _echo(address: str) -> None:
    """Send one request and wait for its reply; a raw socket sees other processes' replies as well."""
    loop, nonce = asyncio.get_running_loop(), secrets.token_bytes(NONCE_BYTES)
    sock, is_raw = _ping_socket(address)
    is_v6 = sock.family == socket.AF_INET6
    with sock:
        sock.setblocking(False)
        sock.connect((address, 0))
        await loop.sock_sendall(sock, _echo_request(nonce, is_v6))
        while not _is_echo_reply(await loop.sock_recv(sock, 2048), nonce, is_v6, is_raw):
            pass


Ask = Callable[[str, Method, float], Awaitable[Answer]]
"""Asks one address by one method, for at most so many seconds."""


def asking(port: int, engine_id: bytes | None = None) -> Ask:
    """Real questions, to the engine behind a port."""

    def ask(address: str, method: Method, timeout_s: float) -> Awaitable[Answer]:
        return ask_udp(address, port, timeout_s, engine_id) if method == "udp" else ask_icmp(address, timeout_s)

    return ask


class Rounds:
    """Asks each address at its own pace. One that is slow to answer holds up no quicker one: its answer counts when it is there."""

    def __init__(self) -> None:
        self._asked: dict[str, asyncio.Future[list[Answer]]] = {}
        self._due_s: dict[str, float] = {}

    async def ask(self, settings: MonitorSettings, ask: Ask) -> tuple[Answer, ...]:
        """One round, by every method: the quickest addresses' answers, and those of the others that are there; takes at most ``round_s``."""
        for address in settings.addresses:
            if address not in self._asked and self._is_due(address, settings):
                timeout_s = settings.pace(address).interval_s
                self._due_s[address] = time.monotonic() + timeout_s
                self._asked[address] = asyncio.gather(*(ask(address, method, timeout_s) for method in settings.methods))
        await asyncio.wait([self._asked[address] for address in settings.addresses if is_quick(address, settings)])
        over = [address for address, asked in self._asked.items() if asked.done()]
        return tuple(answer for address in over for answer in self._asked.pop(address).result())

    def _is_due(self, address: str, settings: MonitorSettings) -> bool:
        """The quickest are asked in every round, the others in the one that is nearest to their time."""
        due_s = self._due_s.get(address, 0.0)
        return is_quick(address, settings) or time.monotonic() >= due_s - settings.round_s / 2


def is_quick(address: str, settings: MonitorSettings) -> bool:
    """Whether no address is asked more often."""
    return settings.pace(address).interval_s <= settings.round_s


async def _ask(
    address: str,
    method: Method,
    made: Awaitable[tuple[asyncio.DatagramTransport, _Asker]],
    question: bytes,
    timeout_s: float,
) -> Answer:
    started_s = time.monotonic()
    try:
        transport, asker = await made
    except OSError as error:
        return Answer(address, method, answered=False, says=error.strerror or str(error))
    try:
        transport.sendto(question)
        await asyncio.wait_for(asker.answer, timeout_s)
    except TimeoutError:
        return Answer(address, method, answered=False, says="no answer")
    except OSError as error:
        return Answer(address, method, answered=False, says=error.strerror or str(error))
    finally:
        transport.close()
    return Answer(address, method, answered=True, round_trip_s=time.monotonic() - started_s)


def _ping_socket(address: str) -> tuple[socket.socket, bool]:
    """A ping socket where net.ipv4.ping_group_range allows, else a raw one; says which. Raises PermissionError."""
    is_v6 = ipaddress.ip_address(address).version == 6
    family = socket.AF_INET6 if is_v6 else socket.AF_INET
    protocol = socket.IPPROTO_ICMPV6 if is_v6 else socket.IPPROTO_ICMP
    try:
        return socket.socket(family, socket.SOCK_DGRAM, protocol), False
    except PermissionError:
        return socket.socket(family, socket.SOCK_RAW, protocol), True


def _echo_request(nonce: bytes, is_v6: bool) -> bytes:  # noqa: FBT001
    """RFC 792 type 8, RFC 4443 type 128. The kernel fills in ICMPv6 sums, and a ping socket's identifier."""
    identifier, kind = int.from_bytes(nonce[:2], "big"), 128 if is_v6 else 8
    head = struct.pack("!BBHHH", kind, 0, 0, identifier, 1)
    return struct.pack("!BBHHH", kind, 0, _sum(head + nonce), identifier, 1) + nonce


def _is_echo_reply(data: bytes, nonce: bytes, is_v6: bool, is_raw: bool) -> bool:  # noqa: FBT001
    """Our nonce comes back as the payload. A raw IPv4 socket shows the IP header as well."""
    message = data[(data[0] & 0x0F) * 4 :] if is_raw and not is_v6 and data else data
    return len(message) >= 8 and message[0] == (129 if is_v6 else 0) and message[8:] == nonce


def _sum(data: bytes) -> int:
    """The Internet checksum, RFC 1071; ``data`` has an even length."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return 0xFFFF - ((total + (total >> 16)) & 0xFFFF)
