"""The stored form of what is kept: its own types, with ``from`` and ``to`` the model, so that the model may change its mind."""

from __future__ import annotations

from typing import Any

import msgspec

from orchestrator.model.conditions import Stage
from orchestrator.model.fields import AS_KEPT
from orchestrator.model.names import NameChanges
from orchestrator.model.protections import Protection
from orchestrator.model.provenance import Origin
from orchestrator.model.runs import Measured, Run
from orchestrator.model.servers import Pair, ProtectionId
from orchestrator.model.settings import Settings


class ProtectionRecord(msgspec.Struct, frozen=True):
    """A protection as stored. Settings are kept as they were chosen: only what differs from the defaults, so defaults can improve."""

    id: str
    application: str
    pair: Pair
    settings: dict[str, Any]
    origins: dict[str, Origin]
    stage: Stage
    epoch: int
    names: NameChanges | None = None
    lowered: NameChanges | None = None


def record_of(protection: Protection) -> ProtectionRecord:
    """The stored form."""
    settings = protection.settings.model_dump(mode="json", exclude_unset=True)
    return ProtectionRecord(
        protection.id,
        protection.application,
        protection.pair,
        settings,
        protection.origins,
        protection.stage,
        protection.epoch,
        protection.names,
        protection.lowered,
    )


def protection_of(record: ProtectionRecord) -> Protection:
    """The protection of a stored form."""
    return Protection(
        ProtectionId(record.id),
        record.application,
        record.pair,
        Settings.model_validate(record.settings, context=AS_KEPT),
        record.origins,
        record.stage,
        record.epoch,
        record.names,
        record.lowered,
    )


class RunRecord(msgspec.Struct, frozen=True):
    """A run as stored once it has ended, or as last heard of."""

    run: Run
    measured: Measured
