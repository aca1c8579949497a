"""Which changes make a server's names lead to another server. Pure: contents of zones in, a change set out.

- An address record (A, AAAA) that holds a source address gets the target address in its place, at whatever name it stands.
- The reverse records of a source address move to the target address, beside those that are there.
- MX, SRV and CNAME records that name the source name the target, when the target's name is given; else they follow.
- The addresses of a zone's own name servers are left alone: moving them would move the DNS server.

Running it on zones that have been changed already gives no changes, so a failover that was cut short is finished by planning
again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache

from orchestrator.naming.finding import ZoneContent, reverse_name
from orchestrator.naming.request import Move
from orchestrator.naming.values import Change, ChangeSet, RecordSet, same_set, update


def plan_move(contents: Iterable[ZoneContent], move: Move) -> ChangeSet:
    """The changes of a failover, with remarks on what a person should know."""
    known = tuple(contents)
    changes: list[Change] = []
    remarks: list[str] = []
    for content in known:
        changes.extend(_forward_changes(content, move))
        remarks.extend(_remarks(content, move))
    if "PTR" in move.types:
        reverse_changes, reverse_remarks = _reverse_changes(known, move)
        changes.extend(reverse_changes)
        remarks.extend(reverse_remarks)
    return ChangeSet(tuple(changes), tuple(dict.fromkeys(remarks)))


def plan_ttl(contents: Iterable[ZoneContent], move: Move, ttl_s: int) -> ChangeSet:
    """The changes that give every record of the source another TTL and nothing else."""
    changes = tuple(
        update(content.server, records, records.with_ttl(ttl_s))
        for content in contents
        for records in content.records
        if records.ttl_s != ttl_s and records.type in move.types and concerns(content, records, move)
    )
    return ChangeSet(changes)


def concerns(content: ZoneContent, records: RecordSet, move: Move) -> bool:
    """Whether a record set is one of the source's: it holds its addresses, or names it."""
    match records.type:
        case "A" | "AAAA":
            held = any(address in move.address_of for address in records.data)
            return held and records.name.lower() not in _name_servers(content)
        case "PTR":
            return records.name.lower() in _reverse_names(move.addresses)
        case "MX" | "SRV" | "CNAME":
            return any(_named_in(data) == move.source_name.lower() for data in records.data)
        case _:
            return False


def _forward_changes(content: ZoneContent, move: Move) -> Iterator[Change]:
    for records in content.records:
        if records.type not in move.types or not concerns(content, records, move):
            continue
        after = _forward(records, move)
        if after is not None and not same_set(records, after):
            yield update(content.server, records, after)


def _forward(records: RecordSet, move: Move) -> RecordSet | None:
    match records.type:
        case "A" | "AAAA":
            moved = tuple(move.address_of.get(address, address) for address in records.data)
        case "MX" | "SRV" | "CNAME" if move.target_name and records.name.lower() != move.target_name.lower():
            moved = tuple(_renamed(data, move.source_name, move.target_name) for data in records.data)
        case _:
            return None
    return _timed(records.with_data(moved), move)


def _timed(records: RecordSet, move: Move) -> RecordSet:
    return records if move.ttl_s is None else records.with_ttl(move.ttl_s)


def _named_in(data: str) -> str:
    """The host that MX, SRV and CNAME data name: always the last word."""
    return data.rsplit(" ", 1)[-1].lower()


def _renamed(data: str, source_name: str, target_name: str) -> str:
    if _named_in(data) != source_name.lower():
        return data
    return data[: len(data) - len(source_name)] + target_name


@lru_cache(maxsize=64)
def _reverse_names(addresses: tuple[tuple[str, str], ...]) -> frozenset[str]:
    """The reverse names of the source's addresses; made once, for a zone may hold a hundred thousand of them."""
    return frozenset(reverse_name(source).lower() for source, _ in addresses)


def _name_servers(content: ZoneContent) -> set[str]:
    apex = content.find(content.zone, "NS")
    return {name.lower() for name in apex.data} if apex else set()


def _reverse_changes(contents: tuple[ZoneContent, ...], move: Move) -> tuple[list[Change], list[str]]:
    edited: dict[tuple[str, str], tuple[ZoneContent, RecordSet | None, RecordSet | None]] = {}
    remarks: list[str] = []
    for source, target in move.addresses:
        origins = _reverse_contents(contents, source)
        if not origins:
            remarks.append(f"no reverse zone for {source} was found: its PTR record, if any, was left alone")
        for origin in origins:
            before = origin.find(reverse_name(source), "PTR")
            if before is None:
                continue
            edited[str(origin.server), before.name.lower()] = (origin, before, None)
            landing = _landing(contents, origin, target)
            if landing is None:
                remarks.append(f"no reverse zone for {target} was found: it gets no PTR record (warning only)")
                continue
            _land(edited, landing, before, target, move)
    changes = [Change(content.server, before, after) for content, before, after in edited.values()]
    return [change for change in changes if not same_set(change.before, change.after)], remarks


def _land(
    edited: dict[tuple[str, str], tuple[ZoneContent, RecordSet | None, RecordSet | None]],
    landing: ZoneContent,
    moved: RecordSet,
    target: str,
    move: Move,
) -> None:
    name = reverse_name(target)
    there = landing.find(name, "PTR")
    base = there or replace(moved, zone=landing.zone, name=name, data=())
    after = _timed(base.with_data((*base.data, *moved.data)), move)
    edited[str(landing.server), name.lower()] = (landing, there, after)


def _reverse_contents(contents: tuple[ZoneContent, ...], address: str) -> list[ZoneContent]:
    """The closest reverse zone of an address, once for each server that writes it."""
    name = reverse_name(address).lower()
    holders = [content for content in contents if name.endswith("." + content.zone.lower())]
    depth = max((content.zone.count(".") for content in holders), default=0)
    return [content for content in holders if content.zone.count(".") == depth]


def _landing(contents: tuple[ZoneContent, ...], origin: ZoneContent, target: str) -> ZoneContent | None:
    """Where the target's PTR belongs: on the same server when each is written, else on the zone's only writer."""
    holders = _reverse_contents(contents, target)
    same = [content for content in holders if content.server == origin.server]
    return next(iter(same or holders), None)


def _remarks(content: ZoneContent, move: Move) -> Iterator[str]:
    if not content.whole:
        yield f"{content.server} does not transfer zone {content.zone}: only the names listed were looked at (--name adds more)"
    servers = _name_servers(content)
    for records in content.records:
        at_source = records.name.lower() == move.source_name.lower()
        if records.type in ("A", "AAAA") and at_source:
            known = {*move.address_of, *move.address_of.values()}
            for address in records.data:
                if address not in known:
                    yield f"{records.name} also has {address}, which is mapped to no target address and stays"
        if records.type in ("A", "AAAA") and records.name.lower() in servers:
            for address in set(records.data) & set(move.address_of):
                yield f"{records.name} {address} is a name server of {content.zone} and stays"
