"""Packets about who owns an address: asking (ARP probe, RFC 5227) and telling (gratuitous ARP; unsolicited neighbour advertisement).

Building and reading are pure; ``Wire`` sends and listens on one network interface through raw sockets, which needs root.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from ipaddress import IPv4Address, IPv6Address
from typing import Protocol

_ETHERTYPE_ARP = 0x0806
_BROADCAST = b"\xff" * 6
_REQUEST, _REPLY = 1, 2
_ARP = struct.Struct("!HHBBH6s4s6s4s")
_ETHERNET = struct.Struct("!6s6sH")
_NEIGHBOUR_ADVERTISEMENT = 136
_OVERRIDE = 0x20000000
_ALL_NODES = "ff02::1"

PROBES, PROBE_WAIT_S = 3, 0.25
ANNOUNCEMENTS, ANNOUNCE_WAIT_S = 3, 0.1


class Wire(Protocol):
    """One network interface's way to ask and to tell."""

    def answered_by(self, interface: str, address: IPv4Address) -> str | None:
        """The hardware address of whoever answers for an address, or None."""
        ...

    def announce(self, interface: str, address: IPv4Address | IPv6Address) -> None:
        """Tell everybody on the network that the address is here now."""
        ...


def arp(kind: int, mac: bytes, sender: bytes, wanted: bytes) -> bytes:
    """An ARP frame to everybody. A probe has four zero bytes as sender."""
    packet = _ARP.pack(1, 0x0800, 6, 4, kind, mac, sender, b"\0" * 6, wanted)
    return _ETHERNET.pack(_BROADCAST, mac, _ETHERTYPE_ARP) + packet


def owner_in(frame: bytes, wanted: bytes, own_mac: bytes) -> bytes | None:
    """The hardware address of a frame's sender if it speaks as owner of ``wanted``, and is not ourselves."""
    if len(frame) < _ETHERNET.size + _ARP.size:
        return None
    _, _, ethertype = _ETHERNET.unpack_from(frame)
    fields = _ARP.unpack_from(frame, _ETHERNET.size)
    mac, sender = fields[5], fields[6]
    speaks = ethertype == _ETHERTYPE_ARP and fields[:2] == (1, 0x0800) and sender == wanted and mac != own_mac
    return bytes(mac) if speaks else None


def advertisement(address: bytes, mac: bytes) -> bytes:
    """An ICMPv6 neighbour advertisement that overrides what neighbours remember; the kernel fills in its checksum."""
    return struct.pack("!BBHI16sBB6s", _NEIGHBOUR_ADVERTISEMENT, 0, 0, _OVERRIDE, address, 2, 1, mac)


class RawWire:
    """The real one."""

    def answered_by(self, interface: str, address: IPv4Address) -> str | None:
        """Ask ``PROBES`` times, and listen ``PROBE_WAIT_S`` seconds after each."""
        mac, wanted = _mac(interface), address.packed
        with _arp_socket(interface) as link:
            for _ in range(PROBES):
                link.send(arp(_REQUEST, mac, b"\0" * 4, wanted))
                found = _listen(link, wanted, mac, time.monotonic() + PROBE_WAIT_S)
                if found is not None:
                    return found.hex(":")
        return None

    def announce(self, interface: str, address: IPv4Address | IPv6Address) -> None:
        """Several times, because a neighbour may miss one."""
        for number in range(ANNOUNCEMENTS):
            if number:
                time.sleep(ANNOUNCE_WAIT_S)
            if isinstance(address, IPv4Address):
                _gratuitous_arp(interface, address)
            else:
                _unsolicited_advertisement(interface, address)


def _gratuitous_arp(interface: str, address: IPv4Address) -> None:
    """Both forms, because some neighbours listen to the one and some to the other."""
    mac = _mac(interface)
    with _arp_socket(interface) as link:
        for kind in (_REQUEST, _REPLY):
            link.send(arp(kind, mac, address.packed, address.packed))


def _unsolicited_advertisement(interface: str, address: IPv6Address) -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as link:
        index = socket.if_nametoindex(interface)
        link.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        link.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        with contextlib.suppress(OSError):
            link.bind((str(address), 0, 0, index))
        link.sendto(advertisement(address.packed, _mac(interface)), (_ALL_NODES, 0, 0, index))


def _arp_socket(interface: str) -> socket.socket:
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETHERTYPE_ARP))
    link.bind((interface, _ETHERTYPE_ARP))
    return link


def _listen(link: socket.socket, wanted: bytes, own_mac: bytes, deadline: float) -> bytes | None:
    while (left_s := deadline - time.monotonic()) > 0:
        link.settimeout(left_s)
        try:
            found = owner_in(link.recv(2048), wanted, own_mac)
        except TimeoutError:
            return None
        if found is not None:
            return found
    return None


def _mac(interface: str) -> bytes:
    with _arp_socket(interface) as link:
        return bytes(link.getsockname()[4])
