"""Where the files of protected databases lie on the target. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.model.paths import is_windows, moved, separator
from orchestrator.model.servers import Where
from orchestrator.model.settings import Settings
from orchestrator.model.sql import SqlDatabase, SqlFile
from orchestrator.sdk.sides import root_of


def folder_of(path: str) -> str:
    r"""The directory that a path lies in.

    >>> folder_of(r"E:\data\x.mdf"), folder_of("/var/opt/mssql/data/x.mdf"), folder_of(r"E:\x.mdf")
    ('E:\\data', '/var/opt/mssql/data', 'E:\\')
    """
    parent, _, _ = path.rpartition(separator(path))
    return f"{parent}\\" if is_windows(path) and len(parent) == 2 else parent or "/"


class Placing:
    """Where files lie on each side: as a database's own setting says, else as its protected directory's, else at the same path.

    Made once for many files: settings are looked up, not searched.
    """

    def __init__(self, settings: Settings) -> None:
        """For the files of one protection."""
        self._settings = settings
        sql = settings.failover.sql
        self._selected = {one.key: one for one in sql.databases} if sql else {}

    def on_target(self, instance: str, file: SqlFile) -> str:
        """The path of a database's file on the target."""
        chosen = self._selected.get((instance.lower(), file.database.lower()))
        wanted = (chosen.target_log_path if file.kind == "log" else chosen.target_data_path) if chosen else None
        if wanted is not None:
            return moved(file.path, folder_of(file.path), wanted)
        root = root_of(self._settings, file.path)
        return moved(file.path, root.source_path, root.on_target) if root else file.path

    def on(self, where: Where, instance: str, file: SqlFile) -> str:
        """The path of a database's file on a side."""
        return self.on_target(instance, file) if where is Where.TARGET else file.path

    def folders(self, where: Where, instance: str, databases: Iterable[SqlDatabase]) -> tuple[str, ...]:
        """The directories on a side that files of these databases lie in, each once."""
        paths = (self.on(where, instance, file) for one in databases for file in one.files)
        return tuple(dict.fromkeys(folder_of(path) for path in paths))
