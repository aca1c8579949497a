"""What can go wrong with names, each in one line with its own exit code (39 to 49, and 29, 35, 78)."""

from __future__ import annotations

from orchestrator.errors import DtamError


class NamingError(DtamError):
    template = "unexpected from DNS: {reason}"
    exit_code = 47
    hint_template = "{advice}"

    def __init__(self, **facts: object) -> None:
        facts.setdefault("advice", "look at the log of that DNS server")
        super().__init__(**facts)


class DnsUnreachable(NamingError):
    template = "DNS server {server} did not answer ({reason})"
    exit_code = 40
    hint_template = "is it up, and is {server} open for UDP and TCP from here? try: dig @{address} -p {port} {name} SOA"


class KeyRefused(NamingError):
    template = "DNS server {server} refused the key {key} ({reason})"
    exit_code = 41
    hint_template = "{advice}"


class ZoneMissing(NamingError):
    template = "no listed DNS server is authoritative for {name} (asked: {servers})"
    exit_code = 42
    hint_template = "list the server that holds the zone with --server, or create the zone there"


class UpdateRefused(NamingError):
    template = "DNS server {server} refused to change {what} in zone {zone} ({reason})"
    exit_code = 43
    hint_template = "{advice}"


class AddressMapInvalid(NamingError):
    template = "the addresses cannot be mapped: {reason}"
    exit_code = 44
    hint_template = "give one --target-ip for each --source-ip, in the same order, of the same family, each used once"


class KeyFileUnusable(NamingError):
    template = "the key file {path} cannot be used: {reason}"
    exit_code = 45
    hint_template = "{advice}"


class NameInvalid(NamingError):
    template = "{name!r} cannot be used as a server's DNS name: {reason}"
    exit_code = 46
    hint_template = "give the full name with its domain, such as files.example.com"


class SourceMayWrite(NamingError):
    template = "the source could take its name back: {server} lets {who} change {name} in zone {zone}"
    exit_code = 39
    hint_template = "on {server}, take the right to change {name} from {who}; over RFC 2136 nobody else can"


class NameChangeIncomplete(NamingError):
    template = "{reason}"
    exit_code = 48


class UndoUnusable(NamingError):
    template = "the undo file {path} cannot be used: {reason}"
    exit_code = 49
    hint_template = "{advice}"


class KerberosFailed(NamingError):
    template = "no Kerberos session with {server}: {reason}"
    exit_code = 78

    @property
    def may_pass(self) -> bool:
        """Whether it may come right by waiting: nobody answered."""
        return bool(self.facts.get("may_pass"))


class LockIncomplete(NamingError):
    template = "{name} in zone {zone} is not {wanted} against {account}: {reason}"
    exit_code = 29


class RecordGone(NamingError):
    template = "{server} has no {type} record of {name}: {reason}"
    exit_code = 35
