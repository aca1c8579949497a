"""A small authoritative DNS server for the demo and for tests where no BIND is installed.

It answers for the zones it is given over UDP and TCP, takes RFC 2136 updates signed with TSIG (prerequisites honoured, the
whole message or nothing, the serial raised, the zone file on disk before the answer), gives zones away by AXFR to holders of
a key, and refuses what is unsigned. tests/conformance/test_dns_servers.py holds it and BIND's named to the same answers.

    python -m demo.dnsserver --listen 127.0.0.1:5353 --key-file dtam.key --zone lab.example=lab.example.zone

Sources: RFC 1035, 2136 (3.2 prerequisites, 3.4 update), 5936 (AXFR), 8945 (TSIG).
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import struct
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.rdtypes.ANY.TSIG
import dns.rrset
import dns.transaction
import dns.tsig
import dns.update
import dns.zone

from demo.dnszone import Refusal, ServedZone, apply_record, check_prerequisites
from orchestrator.naming.keys import Key, read_key

_RECORDS_A_MESSAGE = 400
_CNAME_CHAIN = 8
_TSIG_FAILURES = (
    dns.message.UnknownTSIGKey,
    dns.tsig.BadSignature,
    dns.tsig.BadTime,
    dns.tsig.BadKey,
    dns.tsig.BadAlgorithm,
)


def _nothing(_zone: str, _when: str) -> None:
    """The hook of a server that nobody listens to."""


@dataclass
class DnsServer:
    """The server: zones and keys in.

    ``on_update`` is an ear for tests: called with the zone and ``before`` or ``after`` around each update.
    """

    zones: list[ServedZone]
    keys: Iterable[Key] = ()
    on_update: Callable[[str, str], None] = _nothing
    port: int = 0
    _keyring: dict[dns.name.Name, dns.tsig.Key] = field(default_factory=dict)
    _listeners: list[asyncio.BaseTransport | asyncio.Server] = field(default_factory=list)

    def __post_init__(self) -> None:
        for key in self.keys:
            tsig = key.tsig()
            self._keyring[tsig.name] = tsig

    async def start(self, address: str, port: int = 0) -> int:
        """Listen on UDP and TCP, on the same port; the port is returned."""
        server = await asyncio.start_server(self._serve_tcp, address, port)
        self.port = server.sockets[0].getsockname()[1]
        loop = asyncio.get_running_loop()
        try:
            transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), (address, self.port))
        except OSError:
            server.close()
            if port == 0:
                return await self.start(address)
            raise
        self._listeners = [server, transport]
        return self.port

    def stop(self) -> None:
        """Stop listening."""
        for listener in self._listeners:
            listener.close()
        self._listeners = []

    async def _serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                (length,) = struct.unpack("!H", await asyncio.wait_for(reader.readexactly(2), 30))
                wire = await asyncio.wait_for(reader.readexactly(length), 30)
                for answer in await self.answers(wire, 65535):
                    writer.write(struct.pack("!H", len(answer)) + answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
            pass
        finally:
            writer.close()

    async def answers(self, wire: bytes, limit: int) -> list[bytes]:
        """The answers to one request; several for a zone transfer, none for what is no request."""
        try:
            request = dns.message.from_wire(wire, keyring=self._keyring, one_rr_per_rrset=True)
        except _TSIG_FAILURES as error:
            return _tsig_error(wire, error)
        except dns.exception.DNSException:
            return _format_error(wire)
        if request.flags & dns.flags.QR:
            return []
        return await self._answers(request, limit)

    async def _answers(self, request: dns.message.Message, limit: int) -> list[bytes]:
        if request.opcode() == dns.opcode.UPDATE:
            return [await asyncio.to_thread(self._answer_update, request)]
        if request.opcode() != dns.opcode.QUERY or len(request.question) != 1:
            return [_coded(request, dns.rcode.NOTIMP)]
        if request.question[0].rdtype == dns.rdatatype.AXFR:
            return self._transfer(request) if limit > 4096 else [_coded(request, dns.rcode.FORMERR)]
        return [self._answer_query(request, limit)]

    # --- queries

    def _zone_of(self, name: dns.name.Name) -> ServedZone | None:
        holders = [zone for zone in self.zones if name.is_subdomain(zone.name)]
        return max(holders, key=lambda zone: len(zone.name.labels), default=None)

    def _answer_query(self, request: dns.message.Message, limit: int) -> bytes:
        answer = dns.message.make_response(request, our_payload=1232)
        asked = request.question[0]
        zone = self._zone_of(asked.name)
        if zone is None:
            answer.set_rcode(dns.rcode.REFUSED)
        else:
            answer.flags |= dns.flags.AA
            self._fill(answer, zone, asked.name, asked.rdtype)
        size = limit if limit > 4096 else min(limit, max(request.payload, 512))
        return answer.to_wire(max_size=size, prefer_truncation=True)

    def _fill(
        self, answer: dns.message.Message, zone: ServedZone, name: dns.name.Name, wanted: dns.rdatatype.RdataType
    ) -> None:
        for _ in range(_CNAME_CHAIN):
            node = zone.content.get_node(name)
            found = [records for records in node or () if wanted in (records.rdtype, dns.rdatatype.ANY)]
            alias = node.get_rdataset(dns.rdataclass.IN, dns.rdatatype.CNAME) if node else None
            answer.answer.extend(_rrset(name, records) for records in found or ([alias] if alias else []))
            if not found and alias is None:
                self._deny(answer, zone, name)
            if found or alias is None:
                return
            name = alias[0].target
            if self._zone_of(name) is not zone:
                return

    def _deny(self, answer: dns.message.Message, zone: ServedZone, name: dns.name.Name) -> None:
        exists = any(known.is_subdomain(name) for known in zone.content.nodes)
        answer.set_rcode(dns.rcode.NOERROR if exists else dns.rcode.NXDOMAIN)
        soa = zone.content.get_rdataset(zone.name, dns.rdatatype.SOA)
        if soa is not None:
            answer.authority.append(_rrset(zone.name, soa))

    # --- transfers

    def _transfer(self, request: dns.message.Message) -> list[bytes]:
        zone = next((zone for zone in self.zones if zone.name == request.question[0].name), None)
        if zone is None:
            return [_coded(request, dns.rcode.NOTAUTH)]
        if not request.had_tsig:
            return [_coded(request, dns.rcode.REFUSED)]
        soa = _rrset(zone.name, zone.content.find_rdataset(zone.name, dns.rdatatype.SOA))
        rest = [
            _rrset(name, records) for name, records in zone.content.iterate_rdatasets() if records.rdtype != soa.rdtype
        ]
        return _signed_sequence(request, _portions([soa, *rest, soa]))

    # --- updates

    def _answer_update(self, request: dns.message.Message) -> bytes:
        assert isinstance(request, dns.update.UpdateMessage)  # noqa: S101  the opcode says so
        zone_name = request.zone[0].name.to_text() if request.zone else ""
        try:
            self.on_update(zone_name, "before")
            self._update(request)
            code = dns.rcode.NOERROR
        except Refusal as refusal:
            code = refusal.code
        except (OSError, dns.exception.DNSException, ValueError):
            code = dns.rcode.SERVFAIL
        self.on_update(zone_name, "after")
        return _coded(request, code)

    def _update(self, request: dns.update.UpdateMessage) -> None:
        zone = self._permitted(request)
        with _ONE_UPDATE, zone.content.writer() as txn:
            check_prerequisites(txn, request.prerequisite)
            changed = [apply_record(txn, zone, record) for record in request.update]
            if not any(changed):
                txn.rollback()
                return
            if not any(record.rdtype == dns.rdatatype.SOA for record in request.update):
                txn.update_serial(name=zone.name)
            txn.commit()
            zone.save()

    def _permitted(self, request: dns.update.UpdateMessage) -> ServedZone:
        """The zone to be changed, when this request may change all it wants to (as BIND 9.18: rights before values)."""
        if len(request.zone) != 1:
            raise Refusal(dns.rcode.FORMERR)
        zone = next((zone for zone in self.zones if zone.name == request.zone[0].name), None)
        if zone is None:
            raise Refusal(dns.rcode.NOTAUTH)
        key = str(request.keyname) if request.had_tsig else None
        for record in (*request.update, *request.prerequisite):
            if not record.name.is_subdomain(zone.name):
                raise Refusal(dns.rcode.NOTZONE)
        if key is None or not all(zone.allows(key, record.name) for record in request.update):
            raise Refusal(dns.rcode.REFUSED)
        return zone


_ONE_UPDATE = threading.Lock()


def _rrset(name: dns.name.Name, records: dns.rdataset.Rdataset) -> dns.rrset.RRset:
    return dns.rrset.from_rdata_list(name, records.ttl, list(records))


def _coded(request: dns.message.Message, code: dns.rcode.Rcode) -> bytes:
    answer = dns.message.make_response(request)
    answer.set_rcode(code)
    return answer.to_wire()


def _portions(sets: list[dns.rrset.RRset]) -> list[list[dns.rrset.RRset]]:
    portions: list[list[dns.rrset.RRset]] = [[]]
    for records in sets:
        if sum(len(one) for one in portions[-1]) + len(records) > _RECORDS_A_MESSAGE:
            portions.append([])
        portions[-1].append(records)
    return portions


def _signed_sequence(request: dns.message.Message, portions: list[list[dns.rrset.RRset]]) -> list[bytes]:
    wires: list[bytes] = []
    context = None
    for portion in portions:
        answer = dns.message.make_response(request)
        answer.flags |= dns.flags.AA
        answer.answer = portion
        wires.append(answer.to_wire(max_size=65535, multi=len(portions) > 1, tsig_ctx=context))
        context = answer.tsig_ctx
    return wires


def _format_error(wire: bytes) -> list[bytes]:
    if len(wire) < 12 or wire[2] & 0x80:
        return []
    head = struct.pack(
        "!HHHHHH", int.from_bytes(wire[:2]), 0x8000 | (wire[2] & 0x78) << 8 | dns.rcode.FORMERR, 0, 0, 0, 0
    )
    return [head]


def _tsig_error(wire: bytes, error: Exception) -> list[bytes]:
    """NOTAUTH with the TSIG error inside, unsigned as RFC 8945 5.3.2 has it."""
    request = dns.message.from_wire(wire, keyring=False)
    answer = dns.message.make_response(request)
    answer.set_rcode(dns.rcode.NOTAUTH)
    asked = request.tsig
    if asked is None:
        return [answer.to_wire()]
    code = dns.rcode.BADKEY
    if isinstance(error, dns.tsig.BadSignature):
        code = dns.rcode.BADSIG
    elif isinstance(error, dns.tsig.BadTime):
        code = dns.rcode.BADTIME
    told = asked[0].replace(mac=b"", error=code, other=b"", original_id=request.id)
    answer.tsig = dns.rrset.from_rdata(asked.name, 0, told)
    answer.want_tsig_sign = False
    return [answer.to_wire()]


class _Datagrams(asyncio.DatagramProtocol):
    """UDP in, the server's answers out."""

    def __init__(self, server: DnsServer) -> None:
        self._server = server
        self._busy: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        task = asyncio.get_running_loop().create_task(self._answer(data, addr))
        self._busy.add(task)
        task.add_done_callback(self._busy.discard)

    async def _answer(self, data: bytes, addr: tuple[str, int]) -> None:
        for answer in await self._server.answers(data, 1232):
            self._transport.sendto(answer, addr)


class RunningServer:
    """A server in a thread of its own, for tests and for the demo: a context manager that gives itself."""

    def __init__(self, server: DnsServer, address: str = "127.0.0.1", port: int = 0) -> None:
        self.server = server
        self.address = address
        self.port = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"dns {address}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        starting = asyncio.run_coroutine_threadsafe(self.server.start(self.address, self.port), self._loop)
        self.port = starting.result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _end(self) -> None:
        self.server.stop()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.01)

    def __str__(self) -> str:
        return f"{self.address}:{self.port}"


def main(arguments: list[str] | None = None) -> None:
    """Serve zones from files until told to stop (SIGTERM or SIGINT)."""
    parser = argparse.ArgumentParser(
        prog="demo.dnsserver", description="A small authoritative DNS server for the demo."
    )
    parser.add_argument("--listen", default="127.0.0.1:5353", help="address:port, UDP and TCP")
    parser.add_argument("--zone", action="append", required=True, metavar="NAME=FILE", help="a zone and its file")
    parser.add_argument(
        "--key-file", action="append", default=[], type=Path, help="a TSIG key that may update and transfer"
    )
    options = parser.parse_args(arguments)
    zones = [ServedZone.from_file(name, Path(path)) for name, _, path in (one.partition("=") for one in options.zone)]
    server = DnsServer(zones, [read_key(path) for path in options.key_file])
    address, _, port = options.listen.rpartition(":")
    asyncio.run(_serve(server, address, int(port)))


async def _serve(server: DnsServer, address: str, port: int) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    bound = await server.start(address, port)
    sys.stdout.write(f"serving {len(server.zones)} zones on {address}:{bound}\n")
    sys.stdout.flush()
    await ended.wait()
    server.stop()


if __name__ == "__main__":
    main()
