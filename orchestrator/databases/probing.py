"""An instance as a client that knows an address sees it: it lets us in, and gives what it is asked for."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from orchestrator.databases.connecting import Passwords, connect
from orchestrator.databases.deeds.deed import Desk, read
from orchestrator.databases.deeds.standing import Probe
from orchestrator.databases.errors import DeedInvalid, SqlError
from orchestrator.model.outcomes import TryAgain

AGAIN_S = 1.0


def ask(document: Mapping[str, Any], address: str, passwords: Passwords) -> str:
    """What the deed ``probe`` says at an address, over the names that the document's access tells.

    Raises:
        TryAgain: it does not answer as it should, now.
        DeedInvalid: the document does not say how it is reached.
    """
    asked = read(Probe, document)
    if asked.access is None:
        raise DeedInvalid(deed=Probe.name, reason="it does not say how the instance is reached: access is missing")
    access = msgspec.structs.replace(asked.access, host=address)
    try:
        with connect(access, passwords) as session:
            probe = Probe(session, asked, Desk(Path("/nonexistent"), time.time))
            seen = probe.look()
            if not seen.done:
                probe.do(seen.found)
            return seen.says
    except SqlError as error:
        raise TryAgain(f"{error}. {error.hint}", after_s=AGAIN_S) from error
