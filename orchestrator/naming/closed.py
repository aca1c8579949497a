"""The name service of a protection that also proves who may not write: nobody unsigned, and no key that the source has.

Over RFC 2136 a server's rules cannot be changed, so what a directory locks is demanded here (guide: secure updates only, or the source
reclaims its record). The proof is an update that changes nothing, sent as the source could send it: it must be refused.
"""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.naming.errors import SourceMayWrite
from orchestrator.naming.exchange import Exchange
from orchestrator.naming.finding import read_set
from orchestrator.naming.keys import Key
from orchestrator.naming.port import Rfc2136NameService
from orchestrator.naming.proving import prove_closed
from orchestrator.naming.request import Access, server_name
from orchestrator.naming.values import NameServer, RecordSet
from orchestrator.naming.zones import survey

OPEN = "source-may-write"


class ClosedNames(Rfc2136NameService):
    """Signed names. ``source_keys`` are copies of the TSIG keys that the source has."""

    def __init__(self, access: Access, source_keys: Iterable[Key] = ()) -> None:
        super().__init__(access)
        self._source_keys = tuple(source_keys)

    def test(self, name: str) -> tuple[tuple[str, str], ...]:
        """As without; and a problem of the kind ``source-may-write`` for each way in which the source could write its name."""
        problems = super().test(name)
        closed = prove_closed(self._access, self._held(server_name(name)), self._source_keys)
        found = (outcome.error for outcome in closed if isinstance(outcome.error, SourceMayWrite))
        return (*problems, *((OPEN, f"{error}. {error.hint}") for error in found))

    def _held(self, name: str) -> list[tuple[NameServer, RecordSet]]:
        with Exchange(self._access) as exchange:
            writers = (
                (writer, zone.name)
                for zone in survey(exchange, [name]).zones
                for writer in zone.writers
                if not exchange.is_silent(writer)
            )
            found = ((writer, read_set(exchange, writer, zone, name, "A")) for writer, zone in writers)
            return [(writer, held) for writer, held in found if held is not None]
