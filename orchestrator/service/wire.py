"""What people ask of a running `dtam serve`, and what it answers: one JSON line each over its UNIX socket; a failover answers with many."""

from __future__ import annotations

import msgspec


class Request(msgspec.Struct, frozen=True):
    """``verb`` is monitor (``on``), failover or status. ``by`` is who the peer says he is; the socket's owner is who may ask at all."""

    verb: str
    protection: str = ""
    by: str = ""
    on: bool = True
    forced: bool = False
    graceful: bool = False
    data: str = ""


class Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    """``says`` is a sentence; ``step`` and ``event`` of a run's progress; ``last``: nothing follows; ``refused``: it was not done, and ``hint``."""

    says: str
    last: bool = False
    refused: bool = False
    hint: str = ""
    step: str = ""
    event: str = ""
    run: str = ""
    protections: tuple[str, ...] = ()
