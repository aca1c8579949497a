"""When a record was last registered: made static while it leads elsewhere, renewed, and put back as it was.

A record with a time stamp is scavenged when nobody registers it again; the source is gone, so nobody would. Written over LDAP,
conditional on the stored value: where DNS changed it meanwhile, or another controller has not heard of it yet, nothing happens.

Sources: [MS-DNSP] 2.3.2.2 (TimeStamp), 3.1.1.1.1 (ageing of zones).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from orchestrator.directory.errors import DirectoryError, ValueChanged
from orchestrator.directory.port import Add, Delete
from orchestrator.model.names import NameNode
from orchestrator.naming.adzones import AdNode, AdZones
from orchestrator.naming.dnsp import DnsRecord, ZoneProperties, hours_since_1601, write_record
from orchestrator.naming.errors import NamingError
from orchestrator.naming.report import Outcome, State
from orchestrator.naming.values import RecordSet

Stamp = Callable[[str, str], int | None]
"""The stamp that a record of this type and text should have; None: leave it."""
_POLL_S = 0.2
STATIC = 0


def make_static(zones: AdZones, wanted: Iterable[RecordSet], wait_s: float) -> list[Outcome]:
    """Have these records static, once the directory shows them; those that it does not show in time fail."""
    return [_stamped(zones, records, _same_for(records, STATIC), "static", wait_s) for records in _held(zones, wanted)]


def put_back(zones: AdZones, nodes: Iterable[NameNode], shown: Iterable[RecordSet], wait_s: float) -> list[Outcome]:
    """Give each record that DNS shows again the stamp that it had before; what was not there before keeps its own.

    A record that would be scavenged at once with its old stamp counts as registered now: its server has been away.
    """
    known = {
        (node.zone.lower(), node.name.lower(), kind, text.lower()): stamp
        for node in nodes
        for kind, text, stamp in node.stamps
    }

    def stamp_of(records: RecordSet) -> Stamp:
        zone = zones.zone(records.zone)
        first_h = _oldest_kept(zone.properties) if zone else 0
        now_h = hours_since_1601(time.time())

        def wanted(kind: str, text: str) -> int | None:
            before = known.get((*records.key[:2], kind, text.lower()))
            return now_h if before not in (None, STATIC) and before < first_h else before

        return wanted

    return [
        _stamped(zones, records, stamp_of(records), "registered as before", wait_s)
        for records in _held(zones, shown)
        if any(stamp_of(records)(records.type, text) is not None for text in records.data)
    ]


def _oldest_kept(properties: ZoneProperties) -> int:
    """The oldest stamp with which a record is not scavenged at once, hours since 1601; 0 where the zone does not age."""
    if not properties.ageing:
        return 0
    return hours_since_1601(time.time()) - properties.no_refresh_h - properties.refresh_h


def _held(zones: AdZones, wanted: Iterable[RecordSet]) -> list[RecordSet]:
    return [records for records in wanted if zones.zone(records.zone) is not None]


def _same_for(records: RecordSet, stamp_h: int) -> Stamp:
    texts = {text.lower() for text in records.data}
    return lambda kind, text: stamp_h if kind == records.type and text.lower() in texts else None


def _stamped(zones: AdZones, records: RecordSet, stamp: Stamp, word: str, wait_s: float) -> Outcome:
    """Stamp one record set; wait for the directory to show it, where DNS was changed at another controller."""
    deadline = time.monotonic() + wait_s
    says = f"{records.name} {records.type} is {word}"
    try:
        while (changed := _try(zones, records, stamp)) is None:
            if time.monotonic() >= deadline:
                reason = f"{zones.directory.server} does not hold {records.name} {records.type} as DNS shows it"
                advice = "replication between controllers may lag: run the same command again"
                return _failed(zones, records, NamingError(reason=reason, advice=advice))
            time.sleep(_POLL_S)
    except DirectoryError as error:
        reason = f"{records.name} {records.type} is not {word}: {error}"
        return _failed(zones, records, NamingError(reason=reason, advice=error.hint))
    return _outcome(zones, records, State.DONE if changed else State.ALREADY, says)


def _try(zones: AdZones, records: RecordSet, stamp: Stamp) -> bool | None:
    """Whether something was written; None when the directory does not hold these data."""
    zone = zones.zone(records.zone)
    node = zones.node(zone, records.name) if zone else None
    if node is None or not _holds(node, records):
        return None
    stale = [
        (raw, record.stamped(wanted))
        for raw, record, text in node.live()
        if record.type_name == records.type
        and (wanted := stamp(record.type_name, text)) is not None
        and record.stamp_h != wanted
    ]
    return _write(zones, node, stale) if stale else False


def _write(zones: AdZones, node: AdNode, stale: list[tuple[bytes, DnsRecord]]) -> bool | None:
    gone = tuple(raw for raw, _ in stale)
    come = tuple(write_record(record) for _, record in stale)
    try:
        zones.directory.change(node.dn, (Delete("dnsRecord", gone), Add("dnsRecord", come)))
    except ValueChanged:
        return None
    return True


def _holds(node: AdNode, records: RecordSet) -> bool:
    found = {text.lower() for one in node.record_sets() if one.type == records.type for text in one.data}
    return {text.lower() for text in records.data} <= found


def _outcome(zones: AdZones, records: RecordSet, state: State, says: str, error: NamingError | None = None) -> Outcome:
    return Outcome(state, says, zones.directory.server, records.zone, records.name, f"{records.type} ageing", error)


def _failed(zones: AdZones, records: RecordSet, error: NamingError) -> Outcome:
    return _outcome(zones, records, State.FAILED, str(error), error)
