"""A protection as dtam keeps it: settings with their origins, the stage it is in, and what was gathered at enable."""

from __future__ import annotations

import msgspec

from orchestrator.model.conditions import Stage
from orchestrator.model.names import NameChanges
from orchestrator.model.provenance import Origin
from orchestrator.model.servers import Pair, ProtectionId
from orchestrator.model.settings import Settings


class Protection(msgspec.Struct, frozen=True):
    """One protected application of one pair. ``epoch`` is the last one dtam knows of; the engines' word counts.

    ``names`` are the DNS changes of a failover as gathered at enable: a failback puts exactly these back.
    ``lowered`` are the TTLs as they were before protection lowered them: a disable puts these back.
    """

    id: ProtectionId
    application: str
    pair: Pair
    settings: Settings
    origins: dict[str, Origin] = {}
    stage: Stage = Stage.CONFIGURED
    epoch: int = 0
    names: NameChanges | None = None
    lowered: NameChanges | None = None

    def origin(self, setting: str) -> Origin | None:
        """Where a setting (dotted path) came from; settings never named came from the defaults."""
        return self.origins.get(setting)
