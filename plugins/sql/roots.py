"""Which directories are protected: those of an instance's tree, or of the chosen databases' files, with their places on the target. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from orchestrator.model.paths import inside, is_windows, moved, outermost, separator
from orchestrator.model.settings_sql import SqlSettings
from orchestrator.model.sql import SqlDatabase, SqlInstance
from plugins.sql.placing import folder_of

LINUX_TREE = "/var/opt/mssql"
SYSTEM_DRIVE = "C:\\"
DIRECTORIES = frozenset({"filestream", "fulltext"})
"""Kinds of files that are directories."""


def tree(instance: SqlInstance) -> str | None:
    r"""The directory that an instance's program and data files lie in: the one above DATA; None where master's place is not known."""
    master = instance.database("master")
    first = next((one.path for one in master.files if one.kind == "rows"), "") if master else ""
    data = folder_of(first) if first else instance.data_path.rstrip("\\/")
    if not data:
        return None
    above = folder_of(data)
    is_data = data.rpartition(separator(data))[2].lower() == "data"
    return above if is_data and not _is_top(above) else data


def _is_top(path: str) -> bool:
    return path == "/" or (is_windows(path) and len(path) <= 3)


def of_instances(settings: SqlSettings, found: Iterable[SqlInstance]) -> list[dict[str, Any]]:
    """Each instance's tree and the directories of all protected files outside of it, at the same place on both sides."""
    wanted: list[str] = []
    for one in found:
        base = tree(one)
        wanted += [base] if base else []
        wanted += _error_log(one)
        wanted += [folder_of(file.path) for database in chosen(settings, one) for file in database.files]
    return [{"source_path": path} for path in outermost([path for path in wanted if path])]


def _error_log(instance: SqlInstance) -> list[str]:
    """Where the error log lies, as the start parameters say; one beside Windows itself stays there, whose volume is never replicated."""
    given = next((one[2:] for one in instance.startup_parameters if one.lower().startswith("-e")), "")
    return [folder_of(given)] if given and not given.upper().startswith(SYSTEM_DRIVE) else []


def of_databases(settings: SqlSettings, found: Iterable[SqlInstance]) -> list[dict[str, Any]]:
    """The directories of the chosen databases' files; where one says so, with another place on the target."""
    places: dict[str, str | None] = {}
    for instance in found:
        for folder, target in _placed(settings, instance):
            places[folder] = places.get(folder) or target
    kept = outermost(list(places))
    return [{"source_path": one, "target_path": places[one]} for one in kept]


def apart(proposed: Iterable[dict[str, Any]], theirs: Iterable[SqlInstance], source: str) -> list[dict[str, Any]]:
    """Directories in which the target's own instances have files get a place beside them, named after the source.

    A target's directory is captured when it takes over: not one whose files are open.
    """
    taken = {folder_of(file.path) for one in theirs for database in one.databases for file in database.files}
    found: list[dict[str, Any]] = []
    for one in proposed:
        path = str(one["source_path"])
        clash = one.get("target_path") is None and any(inside(other, path) for other in taken)
        above, _, name = path.rstrip("/").rpartition("/")
        found.append(one | {"target_path": f"{above}/{source}/{name}"} if clash else one)
    return found


def _placed(settings: SqlSettings, instance: SqlInstance) -> Iterator[tuple[str, str | None]]:
    for database in chosen(settings, instance):
        said = settings.selected(instance.name, database.name)
        for file in database.files:
            wanted = (said.target_log_path if file.kind == "log" else said.target_data_path) if said else None
            if file.kind in DIRECTORIES:
                yield file.path, moved(file.path, folder_of(file.path), wanted) if wanted else None
            else:
                yield folder_of(file.path), wanted


def chosen(settings: SqlSettings, instance: SqlInstance) -> list[SqlDatabase]:
    """The protected databases of an instance."""
    names = settings.protected_of(instance.name, tuple(one.name for one in instance.databases))
    return [one for one in instance.databases if one.name.lower() in names and not one.snapshot_of]


def split_folders(settings: SqlSettings, found: Iterable[SqlInstance]) -> list[str]:
    """Directories whose databases are to go to more than one place: an engine keeps a directory in step with one other."""
    places: dict[str, set[str]] = {}
    for instance in found:
        for folder, target in _placed(settings, instance):
            places.setdefault(folder, set()).add(target or folder)
    apart = [one for one, targets in places.items() if len(targets) > 1]
    below = [
        one
        for one in places
        for outer in places
        if one != outer and inside(one, outer) and places[one] != {one} and one not in apart
    ]
    return sorted({*apart, *below})
