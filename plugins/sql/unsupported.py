"""Why a pair is not protected although everything answers: it is none that is supported. A person who knows better silences the check."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.sdk.application import Planning
from orchestrator.sdk.checks import View
from plugins.sql.checks_matrix import cluster_by_hand, configurations, supported_configuration
from plugins.sql.matrix_rules import refusals


def refused(planning: Planning) -> Iterator[str]:
    """Each reason as one sentence, with what to do instead."""
    protection = planning.protection
    silenced = {one.check for one in protection.settings.advanced.silenced}
    view = View(supported_configuration.id, planning.inventory, protection, 0.0)
    pairs = tuple(configurations(view))
    if supported_configuration.id not in silenced:
        said = dict.fromkeys(f"{one.what}: {one.remedy}" for pair in pairs for one in refusals(pair))
        yield from said
    if cluster_by_hand.id not in silenced and any(one.source.clustered and one.target.clustered for one in pairs):
        yield "a cluster's resources are brought online by a person: dtam validate says in which order"
