"""The door for people: a UNIX socket of mode 0600 below the state directory; whoever may write there may ask, and is named by his peer credentials."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import socket
import struct
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec

from orchestrator.service.wire import Reply, Request

LINE_LIMIT_BYTES = 65536
READ_BUDGET_S = 10.0
Answer = Callable[[Request], AsyncIterator[Reply]]


class Door:
    """Answers requests by ``answer``, which gives any number of replies."""

    def __init__(self, path: Path, answer: Answer) -> None:
        self._path = path
        self._answer = answer
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen. The lock of the process is held, so an old socket belongs to nobody. Raises OSError."""
        self._path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._serve, str(self._path), limit=LINE_LIMIT_BYTES)
        finally:
            os.umask(before)

    async def close(self) -> None:
        """Answer no more."""
        if self._server is not None:
            self._server.close()
        self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError):
            try:
                async with asyncio.timeout(READ_BUDGET_S):
                    line = await reader.readline()
                await self._reply(writer, line)
            finally:
                writer.close()

    async def _reply(self, writer: asyncio.StreamWriter, line: bytes) -> None:
        uid = _peer(writer)
        if uid not in {0, os.geteuid()}:
            await _say(writer, Reply("only the owner of the state directory may ask", last=True, refused=True))
            return
        try:
            request = msgspec.json.decode(line, type=Request)
        except msgspec.MsgspecError as error:
            await _say(writer, Reply(f"this is no request: {error}", last=True, refused=True))
            return
        by = request.by if request.by.startswith(_name(uid)) else _name(uid)
        async for reply in self._answer(msgspec.structs.replace(request, by=by)):
            await _say(writer, reply)


async def _say(writer: asyncio.StreamWriter, reply: Reply) -> None:
    writer.write(msgspec.json.encode(reply) + b"\n")
    await writer.drain()


def _peer(writer: asyncio.StreamWriter) -> int:
    sock = writer.get_extra_info("socket")
    _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return int(uid)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
