"""Checks about the clients' name, its servers and its addresses."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from orchestrator.model.findings import Finding
from orchestrator.model.names import NameChange, NameChanges, NameRecords
from orchestrator.model.servers import Where
from orchestrator.model.steps import Step
from orchestrator.sdk import steps
from orchestrator.sdk.checks import View, check

SOURCE, TARGET = Where.SOURCE, Where.TARGET
NO_REVERSE_ZONE = "no reverse zone"
STALE_H = 7 * 24
SECONDS_1601 = 11_644_473_600
"""From 1601, when the directory's stamps begin, to 1970."""


@check("dns-not-configured", sets=("basic", "names"), passed="DNS servers are named")
def dns_missing(view: View) -> Iterator[Finding]:
    """Without servers the clients' name cannot be moved."""
    dns = view.settings.failover.dns
    if view.settings.failover.type != "dns":
        return
    if not dns.servers:
        yield view.error(
            "no DNS server is named",
            where=view.place("failover.dns.servers"),
            why="clients would go on asking the dead server",
            remedy="name the servers of the zone: failover.dns.servers: [192.0.2.53]",
        )
    if dns.servers and not dns.addresses:
        yield view.error(
            "no addresses are mapped",
            where=view.place("failover.dns.addresses"),
            why="it is not known which address of the source gives way to which of the target",
            remedy="map them: failover.dns.addresses: [{source: 192.0.2.10, target: 192.0.2.20}]",
        )


def _problems(view: View, kind: str) -> Iterator[str]:
    for found, sentence in view.inventory.names.problems:
        if found == kind:
            yield sentence


@check("dns-unreachable", sets=("basic", "names"), passed="every DNS server answers")
def dns_unreachable(view: View) -> Iterator[Finding]:
    """A server that does not answer keeps the old address for its clients."""
    for sentence in _problems(view, "unreachable"):
        yield view.error(
            sentence,
            where=view.place("failover.dns.servers"),
            why="names cannot be moved on a server that does not answer",
            remedy="start it, or take it out of the list",
        )


@check("dns-key-refused", sets=("basic", "names"), passed="the DNS key is accepted")
def dns_key(view: View) -> Iterator[Finding]:
    """A wrong key shows itself now rather than in the failover."""
    for sentence in _problems(view, "key-refused"):
        yield view.error(
            sentence,
            where=view.place("failover.dns.key_file"),
            why="names cannot be changed with this key",
            remedy="compare name, algorithm and secret of the key with those of the DNS server",
        )


@check("source-may-write", sets=("basic", "names"), passed="no key of the source may write the clients' name")
def source_may_write(view: View) -> Iterator[Finding]:
    """A source that comes back would lead the clients to itself again, while the target serves."""
    for sentence in _problems(view, "source-may-write"):
        yield view.error(
            sentence,
            where=view.place("failover.dns.source_key_files"),
            why="back from the dead the source could take its record from the target, with nobody to stop it",
            remedy="let the zone take signed updates only, and of this name only with the key of failover.dns.key_file",
        )


@check("dns-zone-missing", sets=("basic", "names"), passed="the zone of the clients' name is found")
def dns_zone(view: View) -> Iterator[Finding]:
    """Names live in zones; one of the listed servers must hold this one."""
    for kind in ("zone-missing", "other"):
        for sentence in _problems(view, kind):
            yield view.error(
                sentence,
                where=view.place("failover.dns.zones"),
                why="the clients' name cannot be changed where its zone is not held, or not writable",
                remedy="list the server that holds the zone",
            )


@check("dns-record-missing", sets=("basic", "names"), passed="the clients' name is in DNS")
def dns_record(view: View) -> Iterator[Finding]:
    """Clients find the service by this name: it must lead somewhere."""
    names = view.inventory.names
    if names.resolves_to and not any(addresses for _, addresses in names.resolves_to):
        yield view.error(
            f"{view.settings.name} is not in DNS",
            where=view.place("name"),
            why="clients cannot find the service, before or after a failover",
            remedy="add its address record, or mend the name",
            fix=list(_missing_record(view)),
        )


def _missing_record(view: View) -> Iterator[Step]:
    """The clients' name with the addresses of the side that serves, in the zone that is named or the one above it."""
    dns, name = view.settings.failover.dns, f"{view.settings.name.rstrip('.')}."
    wanted = [pair.target if view.serving is TARGET else pair.source for pair in dns.addresses]
    named = (f"{zone.rstrip('.')}." for zone in dns.zones if name.lower().endswith(f".{zone.rstrip('.').lower()}."))
    zone = max(named, key=len, default=name.partition(".")[2])
    sets = ((kind, tuple(one for one in wanted if (":" in one) == (kind == "AAAA"))) for kind in ("A", "AAAA"))
    ttl_s = dns.ttl_limit_s if dns.ttl_s is None else dns.ttl_s
    changes = tuple(
        NameChange(dns.in_order[0], None, NameRecords(zone, name, kind, ttl_s, data)) for kind, data in sets if data
    )
    if changes and view.settings.failover.moves_names:
        yield steps.add_names(NameChanges(changes))


@check("name-resolves-elsewhere", sets=("basic", "names"), passed="the clients' name leads to the side that serves")
def name_elsewhere(view: View) -> Iterator[Finding]:
    """Every listed server must agree, else some clients are led astray already."""
    pairs = view.settings.failover.dns.addresses
    side = view.serving if view.settings.failover.moves_names else SOURCE
    wanted = {pair.target if side is TARGET else pair.source for pair in pairs}
    if not view.settings.failover.moves_names:
        wanted |= {taken.source for taken in view.settings.failover.identity.addresses}
    for server, addresses in view.inventory.names.resolves_to:
        strange = sorted(set(addresses) - wanted)
        if wanted and strange:
            yield view.error(
                f"{view.settings.name} leads to {', '.join(strange)} on {server}, not to the {side}",
                where=f"{server}, {view.place('failover.dns.addresses')}",
                why="a failover moves the source's addresses only; these clients would stay where they are",
                remedy="mend the record, or map the address under failover.dns.addresses",
            )


@check("dns-ttl-too-high", sets=("basic", "names"), passed="clients forget the old address soon enough")
def dns_ttl(view: View) -> Iterator[Finding]:
    """Resolvers may give the dead server's address for as long as the TTL. The guide recommends 300 s."""
    dns = view.settings.failover.dns
    limit_s = dns.ttl_limit_s
    wanted_s = limit_s if dns.ttl_s is None else min(limit_s, dns.ttl_s)
    slow = [
        change
        for change in view.inventory.names.changes.changes
        if change.before is not None and change.before.ttl_s > limit_s
    ]
    if slow:
        shown = ", ".join(f"{_before(one).name} {_before(one).type} {_before(one).ttl_s} s" for one in slow)
        lowered = NameChanges(tuple(_lowered(one, wanted_s) for one in slow))
        yield view.error(
            f"the TTL of {shown} is above {limit_s} s",
            where=f"{slow[0].server}, {view.place('failover.dns.ttl_limit_s')}",
            why="clients may go on asking the dead server for that long after a failover",
            remedy=f"lower it to {wanted_s} s and wait for the old TTL to pass",
            fix=[steps.set_ttl(lowered)],
        )


def _before(change: NameChange) -> NameRecords:
    assert change.before is not None  # noqa: S101  only changes with a before are asked
    return change.before


def _lowered(change: NameChange, ttl_s: int) -> NameChange:
    before = _before(change)
    return NameChange(change.server, before, msgspec.structs.replace(before, ttl_s=ttl_s))


@check("reverse-zone-missing", sets=("basic", "names"), passed="addresses of both servers have reverse zones")
def reverse_zone(view: View) -> Iterator[Finding]:
    """Guide: reverse lookup should be enabled; without it the address still says the old name, or none."""
    for remark in view.inventory.names.changes.remarks:
        if remark.startswith(NO_REVERSE_ZONE):
            yield view.warning(
                remark,
                where=view.place("failover.dns.zones"),
                why="whoever asks for the name of an address gets a wrong answer after a failover",
                remedy="make the reverse zone, or list the server that holds it under failover.dns.servers",
            )


@check("names-left-alone", sets=("strict", "names"), passed="every record of the source is moved")
def left_alone(view: View) -> Iterator[Finding]:
    """What a failover will not change is known before."""
    for remark in view.inventory.names.changes.remarks:
        if not remark.startswith(NO_REVERSE_ZONE):
            yield view.warning(
                remark,
                where=view.place("failover.dns"),
                why="clients that use this record stay where they are",
                remedy="map its address, list its zone, or mend the record",
            )


@check("record-scavengeable", sets=("strict", "names"), passed="no record of the source is about to be scavenged")
def scavengeable(view: View) -> Iterator[Finding]:
    """A record that its host refreshes no more is taken away by the directory after some weeks."""
    now_h = (view.now_s + SECONDS_1601) / 3600
    for node in view.inventory.names.changes.nodes:
        for kind, data, stamp_h in node.stamps:
            if stamp_h and now_h - stamp_h > STALE_H:
                yield view.warning(
                    f"{node.name} {kind} {data} was last refreshed {(now_h - stamp_h) / 24:.0f} days ago",
                    where=f"zone {node.zone}",
                    why="where scavenging is on, the record goes, and with it the clients' way to the service",
                    remedy="let its server register it again (net ads dns register), or make it static",
                )


@check("addresses-changed", sets=("basic", "names"), passed="both servers have the addresses of the settings")
def addresses_changed(view: View) -> Iterator[Finding]:
    """A server that moved since it was configured must be configured anew (guide, chapter 6)."""
    pairs = view.settings.failover.dns.addresses
    for where in (SOURCE, TARGET):
        side = view.inventory.on(where)
        have = {one.address for one in side.addresses}
        wanted = [getattr(pair, where.value) for pair in pairs]
        gone = [one for one in wanted if have and one not in have and not one.startswith("127.")]
        if gone:
            yield view.error(
                f"{side.name} has no address {', '.join(gone)} (it has {', '.join(sorted(have))})",
                where=view.place("failover.dns.addresses"),
                why="names would be led to an address that nobody answers on",
                remedy="configure the addresses anew",
            )


@check("route-not-on-target", sets=("basic", "data"), passed="the data's route leads to the target")
def route_elsewhere(view: View) -> Iterator[Finding]:
    """The route must be an address of the target."""
    route, side = view.settings.connection.route, view.inventory.target
    have = {one.address for one in side.addresses}
    if route and have and route.address not in have and not route.address.startswith("127."):
        yield view.error(
            f"the route {route.address} is no address of {side.name}",
            where=view.place("connection.route.address"),
            why="the data would not arrive",
            remedy=f"choose one of {', '.join(sorted(have))}, or leave route out",
        )


NAMES = (
    dns_missing,
    dns_unreachable,
    dns_key,
    source_may_write,
    dns_zone,
    dns_record,
    name_elsewhere,
    dns_ttl,
    reverse_zone,
    left_alone,
    scavengeable,
    addresses_changed,
    route_elsewhere,
)
