"""The network around an IPv4 address: who answers for it (ARP probes as in RFC 5227), and telling where it is now. Linux, root."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
import time
from collections.abc import Collection

ETHERTYPE_ARP, REQUEST, BROADCAST = 0x0806, 1, b"\xff" * 6
PROBES, PROBE_WAIT_S = 3, 0.25
_ETHERNET, _ARP = struct.Struct("!6s6sH"), struct.Struct("!HHBBH6s4s6s4s")
_NOBODY = bytes(4)


def answering(interface: str, addresses: Collection[str]) -> dict[str, str]:
    """The hardware address of whoever else answers, by address; all are asked at once, for 0.75 s at most. IPv6 is the kernel's to ask.

    Raises:
        OSError: the interface cannot be asked.
    """
    asked = {one.packed: str(one) for one in map(ipaddress.ip_address, addresses) if one.version == 4}
    found: dict[str, str] = {}
    if not asked:
        return found
    with _link(interface) as link:
        mac = link.getsockname()[4]
        for _ in range(PROBES):
            for packed in asked:
                link.send(_frame(mac, _NOBODY, packed))
            found |= _heard(link, mac, asked, time.monotonic() + PROBE_WAIT_S)
            if len(found) == len(asked):
                break
    return found


def announce(interface: str, address: str) -> None:
    """Tell the neighbours of an IPv4 address where it is now; without that they would find out by themselves, later."""
    place = ipaddress.ip_address(address)
    if place.version != 4:
        return
    with contextlib.suppress(OSError), _link(interface) as link:
        link.send(_frame(link.getsockname()[4], place.packed, place.packed))


def speaker(frame: bytes, own_mac: bytes) -> tuple[bytes, bytes] | None:
    """The protocol and the hardware address of whoever sent an ARP frame; None for other frames and our own."""
    if len(frame) < _ETHERNET.size + _ARP.size or _ETHERNET.unpack_from(frame)[2] != ETHERTYPE_ARP:
        return None
    fields = _ARP.unpack_from(frame, _ETHERNET.size)
    return (fields[6], fields[5]) if fields[:2] == (1, 0x0800) and fields[5] != own_mac else None


def _heard(link: socket.socket, own_mac: bytes, asked: dict[bytes, str], deadline_s: float) -> dict[str, str]:
    found: dict[str, str] = {}
    while (left_s := deadline_s - time.monotonic()) > 0:
        link.settimeout(left_s)
        try:
            said = speaker(link.recv(2048), own_mac)
        except TimeoutError:
            break
        if said is not None and said[0] in asked:
            found[asked[said[0]]] = said[1].hex(":")
    return found


def _link(interface: str) -> socket.socket:
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHERTYPE_ARP))
    link.bind((interface, ETHERTYPE_ARP))
    return link


def _frame(mac: bytes, sender: bytes, wanted: bytes) -> bytes:
    body = _ARP.pack(1, 0x0800, 6, 4, REQUEST, mac, sender, bytes(6), wanted)
    return _ETHERNET.pack(BROADCAST, mac, ETHERTYPE_ARP) + body
