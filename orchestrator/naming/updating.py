"""Changes made real: RFC 2136 messages, conditional on what was read, then read back from every server.

One message a zone where it fits, so that a zone changes as a whole; when one is refused, its changes are sent one by one, so
that a single record without rights holds nobody else up. Whatever the answer said, what counts is what is read afterwards.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import dns.name
import dns.rcode
import dns.rdata
import dns.rdataset
import dns.update

from orchestrator.naming.errors import DnsUnreachable, KeyRefused, NameChangeIncomplete, NamingError, UpdateRefused
from orchestrator.naming.exchange import Exchange
from orchestrator.naming.finding import read_set
from orchestrator.naming.report import Outcome, State, outcome_of
from orchestrator.naming.request import Access
from orchestrator.naming.values import Change, NameServer, RecordSet, same_set
from orchestrator.naming.zones import in_parallel

_MESSAGE_CHANGES = 150
_POLL_S = 0.15
_PREREQUISITES = (dns.rcode.NXRRSET, dns.rcode.YXRRSET, dns.rcode.NXDOMAIN, dns.rcode.YXDOMAIN)

log = logging.getLogger("dtam.naming")

Failures = dict[tuple[str, str, str, str], NamingError]


def apply_changes(exchange: Exchange, changes: Iterable[Change]) -> Failures:
    """Send the changes, zone by zone and server by server at once; why some were not taken.

    What was sent and not verified is no failure here: reading back decides.
    """
    groups = _messages(changes)
    failures: Failures = {}
    for failed in in_parallel(exchange.access.threads, lambda group: _send_group(exchange, group), groups):
        failures.update(failed)
    _tell(groups, failures)
    return failures


def _tell(groups: Iterable[Sequence[Change]], failures: Failures) -> None:
    """What was sent, record by record, and what was not taken."""
    for group in groups:
        for change in group:
            failed = failures.get(change.key)
            says = f": {failed}" if failed else ""
            level = logging.WARNING if failed else logging.INFO
            log.log(level, "zone %s on %s: %s%s", change.subject.zone, change.server, "; ".join(change.lines()), says)


def renew(exchange: Exchange, changes: Iterable[Change]) -> Failures:
    """Register records again as they are: a directory takes it as a sign of life, other servers change nothing."""

    def again(group: Sequence[Change]) -> Failures:
        error = send(exchange, group, renewing_update)
        return {} if error is None else {change.key: error for change in group}

    failures: Failures = {}
    for failed in in_parallel(exchange.access.threads, again, _messages(changes)):
        failures.update(failed)
    return failures


def _messages(changes: Iterable[Change]) -> list[tuple[Change, ...]]:
    zones: dict[tuple[NameServer, str], list[Change]] = {}
    for change in changes:
        zones.setdefault((change.server, change.subject.zone.lower()), []).append(change)
    return [
        tuple(group[start : start + _MESSAGE_CHANGES])
        for group in zones.values()
        for start in range(0, len(group), _MESSAGE_CHANGES)
    ]


def _send_group(exchange: Exchange, group: Sequence[Change]) -> Failures:
    error = send(exchange, group, conditional_update)
    if error is None:
        return {}
    if len(group) == 1 or isinstance(error, DnsUnreachable | KeyRefused):
        return {change.key: error for change in group}
    return {
        change.key: alone for change in group if (alone := send(exchange, (change,), conditional_update)) is not None
    }


def send(
    exchange: Exchange,
    group: Sequence[Change],
    build: Callable[[Sequence[Change]], dns.update.UpdateMessage],
) -> NamingError | None:
    """Send one message for changes of one zone; the error, or None when it was taken or cannot be told."""
    server = group[0].server
    if not exchange.access.may_sign(server) and not exchange.access.unsigned:
        return _refused(
            group, "no key was given, and unsigned updates were not chosen", "give its TSIG key with --key-file"
        )
    try:
        code = exchange.update(server, build(group))
    except NamingError as error:
        return error
    if code is None or code == dns.rcode.NOERROR:
        return None
    if code in _PREREQUISITES:
        subject = group[0].subject
        reason = f"{subject.name} {subject.type} on {server} is no longer what was read: it was left alone"
        return NameChangeIncomplete(reason=reason, advice="run the same command again: it reads afresh")
    return _refused(group, dns.rcode.to_text(code), _advice(exchange.access, server))


def _advice(access: Access, server: NameServer) -> str:
    key = access.key_for(server)
    if key is None and access.kerberos is not None:
        who = access.kerberos.principal or "the account of this ticket"
        return f"let {who} write these records in the directory: DnsAdmins may, or grant it for them alone with dtam rights"
    who = f"the key {key.name}" if key else "unsigned updates"
    return f"on {server}, grant {who} this zone's update (BIND: allow-update or update-policy)"


def _refused(group: Sequence[Change], reason: str, advice: str) -> UpdateRefused:
    subject = group[0].subject
    what = f"{subject.name} {subject.type}" if len(group) == 1 else f"{len(group)} record sets"
    return UpdateRefused(server=group[0].server, what=what, zone=subject.zone, reason=reason, advice=advice)


def conditional_update(group: Sequence[Change]) -> dns.update.UpdateMessage:
    """One update message: every ``before`` a prerequisite, every set replaced whole, so that TTLs are set too."""
    message = _require_before(group)
    for change in group:
        name = dns.name.from_text(change.subject.name)
        if change.before is not None:
            message.delete(name, change.subject.type)
        if change.after is not None:
            message.add(name, rdataset(change.after))
    return message


def renewing_update(group: Sequence[Change]) -> dns.update.UpdateMessage:
    """One update message that adds what is there, if it is still there."""
    message = _require_before(group)
    for change in group:
        message.add(dns.name.from_text(change.subject.name), rdataset(change.subject))
    return message


def _require_before(group: Sequence[Change]) -> dns.update.UpdateMessage:
    message = dns.update.UpdateMessage(group[0].subject.zone)
    for change in group:
        name = dns.name.from_text(change.subject.name)
        if change.before is None:
            message.absent(name, change.subject.type)
        else:
            message.present(name, rdataset(change.before.with_ttl(0)))
    return message


def unchanging_update(group: Sequence[Change]) -> dns.update.UpdateMessage:
    """An update that asks for the rights of ``conditional_update`` and changes nothing.

    The prerequisite says exactly what each set holds; what is deleted is a record that it does not hold. So the server judges
    key, zone and right on each name, and has nothing to do (RFC 2136, 3.4.2.4 and 3.6: no change, no new serial).
    """
    message = _require_before(group)
    for change in group:
        subject = change.subject
        message.delete(dns.name.from_text(subject.name), rdataset(_absent_record(subject)))
    return message


def _absent_record(records: RecordSet) -> RecordSet:
    """A record set of this type whose data is certainly not among the data present."""
    absent = {
        "A": ("192.0.2.254", "192.0.2.253"),
        "AAAA": ("2001:db8::fffe", "2001:db8::fffd"),
        "MX": ("65535 dtam-test.invalid.", "65534 dtam-test.invalid."),
        "SRV": ("65535 0 9 dtam-test.invalid.", "65534 0 9 dtam-test.invalid."),
    }.get(records.type, ("dtam-test.invalid.", "dtam-test2.invalid."))
    held = {data.lower() for data in records.data}
    return records.with_data((next(data for data in absent if data not in held),)).with_ttl(0)


def rdataset(records: RecordSet) -> dns.rdataset.Rdataset:
    """A record set in dnspython's form, its data as uncompressed bytes: compressing would lose the case of names."""
    parsed = dns.rdataset.from_text_list("IN", records.type, records.ttl_s, list(records.data))
    plain = [dns.rdata.GenericRdata(one.rdclass, one.rdtype, one.to_wire()) for one in parsed]
    return dns.rdataset.from_rdata_list(records.ttl_s, plain)


def read_back(
    exchange: Exchange, wanted: Sequence[tuple[Change, NameServer]], failures: Failures, changed: set[tuple[str, ...]]
) -> list[Outcome]:
    """Read every change from every server until it shows there or the waiting time is over."""
    deadline = time.monotonic() + exchange.access.await_s
    outcomes: dict[int, Outcome] = {}
    while len(outcomes) < len(wanted):
        hidden = [index for index in range(len(wanted)) if index not in outcomes]
        look = partial(_look, exchange, failures, changed, time.monotonic() >= deadline)
        looked = in_parallel(exchange.access.threads, look, [wanted[index] for index in hidden])
        outcomes.update({index: seen for index, seen in zip(hidden, looked, strict=True) if seen is not None})
        if len(outcomes) < len(wanted):
            time.sleep(_POLL_S)
    return [outcomes[index] for index in range(len(wanted))]


def _look(
    exchange: Exchange,
    failures: Failures,
    changed: set[tuple[str, ...]],
    last: bool,  # noqa: FBT001  bound by partial, once a round
    item: tuple[Change, NameServer],
) -> Outcome | None:
    change, server = item
    subject = change.subject
    failure = failures.get(change.key)
    try:
        seen = read_set(exchange, server, subject.zone, subject.name, subject.type)
    except NamingError as error:
        cause = failure or error
        return outcome_of(change, server, State.FAILED, str(cause), cause)
    if same_set(seen, change.after):
        state = State.DONE if change.key in changed else State.ALREADY
        return outcome_of(change, server, state, f"{server} gives {_words(seen, subject)}")
    if failure is not None:
        return outcome_of(change, server, State.FAILED, str(failure), failure)
    if not last:
        return None
    hidden = _not_shown(exchange, change, server, seen)
    return outcome_of(change, server, State.FAILED, str(hidden), hidden)


def _not_shown(exchange: Exchange, change: Change, server: NameServer, seen: RecordSet | None) -> NamingError:
    subject = change.subject
    shown = _words(seen, subject)
    if server == change.server:
        return NamingError(reason=f"{server} took the change and still gives {shown}")
    reason = f"{server} still gives {shown} {exchange.access.await_s:g} s after {change.server} was changed"
    transfers = f"does {server} transfer {subject.zone} from {change.server}?"
    return NameChangeIncomplete(reason=reason, advice=f"{transfers} if it is a writer of its own, use --each-server")


def _words(records: RecordSet | None, subject: RecordSet) -> str:
    return f"no {subject.type} at {subject.name}" if records is None else str(records)
