"""Which files of a protected directory travel.

Whole instances: everything but the programs (Binn), what is the server's own (its configuration, keys of TLS and of Kerberos), tempdb
unless it is wanted, and databases that are left out. Databases alone: their files, each by its name, or the whole directory where nothing
else lies in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from orchestrator.model.paths import inside, moved
from orchestrator.model.settings import Root, RuleSettings, Settings
from orchestrator.sdk.application import Planning
from orchestrator.sdk.pair_plans.rules import relative
from plugins.sql import told
from plugins.sql.told import ToldFile, ToldInstance

EVERYTHING = RuleSettings(path="")
OWN = (
    RuleSettings(path="Binn", include=False),
    RuleSettings(path="mssql.conf", include=False),
    RuleSettings(path="secrets/[!m]*", include=False),
    RuleSettings(path="secrets/m[!a]*", include=False),
)
"""Relative to an instance's tree. Of the secrets the machine key alone travels: it opens the service master key, which lies in master."""


def rules(settings: Settings) -> tuple[RuleSettings, ...]:
    """The overriding rules, or the generated ones as far as they follow from the settings alone."""
    if settings.advanced.override_generated_rules:
        return settings.advanced.rules
    return (EVERYTHING, *OWN) if told.is_whole(settings) else (EVERYTHING,)


def rules_of(planning: Planning, root: Root) -> list[dict[str, Any]]:
    """The rules of one directory, relative to it, as an engine takes them."""
    settings = planning.protection.settings
    if settings.advanced.override_generated_rules:
        return relative(settings.advanced.rules, root)
    known = told.instances(planning)
    wanted = _of_instances(known, root) if told.is_whole(settings) else _of_databases(planning, known, root)
    return relative(_extended(settings, root, wanted), root)


def _extended(settings: Settings, root: Root, wanted: Iterable[RuleSettings]) -> list[RuleSettings]:
    """A directory that people added beside the databases travels whole."""
    if any(root.source_path == volume.source_path for volume in settings.connection.volumes):
        return [EVERYTHING]
    return list(wanted)


def _of_instances(known: Iterable[ToldInstance], root: Root) -> Iterator[RuleSettings]:
    yield EVERYTHING
    yield from OWN
    for path in (path for one in known for path in one.left_out):
        if inside(path, root.source_path):
            yield _named(path, root, include=False)


def _of_databases(planning: Planning, known: Iterable[ToldInstance], root: Root) -> Iterator[RuleSettings]:
    every = list(known)
    here = [file for file in told.files(every) if inside(file.source, root.source_path)]
    others = [path for one in every for path in one.left_out if inside(path, root.source_path)]
    if here and not others and _alone(planning, root, here):
        yield EVERYTHING
        return
    for file in here:
        yield _named(file.source, root, recursive=file.kind in {"filestream", "fulltext"})


def _alone(planning: Planning, root: Root, here: list[ToldFile]) -> bool:
    """Whether nothing lies directly in a directory but these files."""
    facts = planning.inventory.source.path(root.source_path)
    return facts is not None and facts.entries is not None and facts.entries <= len(here)


def _named(path: str, root: Root, *, include: bool = True, recursive: bool = False) -> RuleSettings:
    rest = moved(path, root.source_path, "/").lstrip("/")
    return RuleSettings(path=re.sub(r"([*?\\[])", r"[\1]", rest), include=include, recursive=recursive or not include)
