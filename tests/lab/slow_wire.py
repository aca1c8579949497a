"""A wire that is slow: frames read at one interface leave at the other a fixed time later, both ways, in their order.

    python slow_wire.py INTERFACE INTERFACE SECONDS

It ends when its standard input does. What the network card would still have to do with a frame (checksums, segmentation)
travels with it in the header that PACKET_VNET_HDR puts before it.
"""

from __future__ import annotations

import collections
import select
import socket
import sys
import time

SOL_PACKET, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING, ETH_P_ALL = 263, 15, 23, 3


def _port(interface: str) -> socket.socket:
    port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    port.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    port.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    port.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    port.bind((interface, ETH_P_ALL))
    port.setblocking(False)
    return port


def _carry(ports: tuple[socket.socket, socket.socket], delay_s: float) -> None:
    waiting: collections.deque[tuple[float, socket.socket, bytes]] = collections.deque()
    while True:
        pause_s = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        ready, _, _ = select.select([*ports, sys.stdin], [], [], pause_s)
        if sys.stdin in ready:
            return
        for port in ready:
            frame = port.recv(1 << 17)
            waiting.append((time.monotonic() + delay_s, ports[port is ports[0]], frame))
        while waiting and waiting[0][0] <= time.monotonic():
            _, port, frame = waiting.popleft()
            try:
                port.send(frame)
            except OSError:
                continue  # the other end is not there: a wire cannot help it


if __name__ == "__main__":
    both = (_port(sys.argv[1]), _port(sys.argv[2]))
    print("ready", flush=True)  # noqa: T201 - the one who started it waits for this
    _carry(both, float(sys.argv[3]))
