"""What can be wrong with a log, each in one line (exit codes 50 to 52)."""

from __future__ import annotations

from orchestrator.errors import DtamError


class TornRecord(DtamError):
    """A record ends before its own length says: the tail of a log that was cut off while it was written."""

    template = "the log ends in the middle of a record at {where}: {why}"
    exit_code = 50
    hint_template = "nothing after this place was acknowledged; the engine goes on before it"


class CorruptRecord(DtamError):
    """Bytes that are no record: a checksum, a length or a sequence does not agree."""

    template = "corrupt record in the log at {where}: {why}"
    exit_code = 51
    hint_template = "run 'dtengine oplog check LOGDIR' to see how far the log is good; what follows needs a mirror"


class LogUnusable(DtamError):
    """A log cannot be opened, read or written as a whole."""

    template = "the log {where} cannot be used: {why}"
    exit_code = 52
    hint_template = "look at the directory's rights and free space; if its segments are gone, mirror again"
