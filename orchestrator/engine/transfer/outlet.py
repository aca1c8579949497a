"""How a source connection's messages leave: as frames, compressed where both want it, counted, and no faster than the line allows."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.engine.transfer.compression import Level, Packer
from orchestrator.engine.transfer.framing import encode_frame
from orchestrator.engine.transfer.line import Line
from orchestrator.engine.transfer.messages import Message
from orchestrator.engine.transfer.tally import Tally
from orchestrator.engine.transfer.tls import Channel


class Outlet:
    """Sends the messages of one connection; used by its sending thread alone."""

    def __init__(self, line: Line, tally: Tally, wait: Callable[[float], bool]) -> None:
        """Send over ``line``; ``wait`` sleeps, and says True when the connection is ending."""
        self.compresses = False
        """Whether the target reads compressed frames."""
        self._line = line
        self._tally = tally
        self._wait = wait
        self._packer = Packer()

    def send(self, channel: Channel, message: Message) -> None:
        """Send one message.

        Raises:
            OSError: the connection is lost.
        """
        plain = encode_frame(message)
        level = self._line.level if self.compresses else Level.OFF
        parts = self._packer.pack(plain, level)
        self._tally.sent(message, sum(map(len, plain)), sum(map(len, parts)))
        self._line.send(parts, channel.send, self._wait)
