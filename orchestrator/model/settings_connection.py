"""The Connection tab: which data, and how it travels."""

from __future__ import annotations

from itertools import combinations
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from orchestrator.model.fields import AbsolutePath, DataPath, IpAddress, Port, Tab
from orchestrator.model.paths import inside
from orchestrator.model.servers import Where
from orchestrator.model.settings_domain import ShareSelection
from orchestrator.model.settings_line import BandwidthSettings, Compression
from orchestrator.model.settings_replication import ExternalSettings, StorageReplicaSettings

MIB = 1024 * 1024


class Root(Tab):
    """A protected directory, and its place on the target; the same path when ``target_path`` is not given."""

    source_path: DataPath
    target_path: DataPath | None = None

    @property
    def on_target(self) -> str:
        """Where it lies on the target."""
        return self.target_path or self.source_path

    def on(self, where: Where) -> str:
        """Where it lies on a side."""
        return self.on_target if where is Where.TARGET else self.source_path


class Route(Tab):
    """The address and port of the target that the data travels to."""

    address: IpAddress
    port: Port = 6321


class OrphanSettings(Tab):
    """What to do with files that only the target has. ``move_to`` is a directory on the target."""

    action: Literal["ignore", "log", "move", "delete"] = "ignore"
    older_than_s: Annotated[int, Field(ge=0)] = 0
    move_to: AbsolutePath | None = None

    @model_validator(mode="after")
    def _place(self) -> Self:
        if self.action == "move" and self.move_to is None:
            msg = "moving orphans needs move_to"
            raise ValueError(msg)
        return self


class QueueSettings(Tab):
    """How much may wait on the source before it counts as out of step. ``disk_limit_bytes`` None is unlimited, 0 no disk queue.

    ``disk_folder``: a directory of that server for the disk queue; absent: in its engine's state directory.
    """

    memory_limit_bytes: Annotated[int, Field(ge=5 * MIB, lt=2**50)] = 128 * MIB
    disk_limit_bytes: Annotated[int, Field(ge=0, lt=2**60)] | None = None
    minimum_free_bytes: Annotated[int, Field(ge=0, lt=2**60)] = 50 * MIB
    capture: Literal["auto", "fuse", "watcher"] = "auto"
    access_times: bool = False
    disk_folder: AbsolutePath | None = None

    def document(self) -> dict[str, Any]:
        """The limits as the engine's control API takes them."""
        return self.model_dump(mode="json", exclude_none=True)


class ConnectionTab(Tab):
    """Which data, and how it travels. ``mirror`` checksum sends only the blocks that differ; it also holds for the way back.

    ``mode`` synchronous answers a flush at the source when the target holds it. Past ``synchronous_wait_s`` the application goes on
    asynchronously with an alert until the target has caught up; with ``when_late`` wait it stands still until the target answers.
    ``ignore_deletes`` keeps at the target what is deleted or moved out at the source, until something else takes its name.
    ``compression`` and ``bandwidth`` are those of the way to the target's address, which all connections to it share; absent: as they are.

    ``replication`` is the way: native is dtam's own engines; storage_replica is Windows', of whole volumes; external is a tool that somebody
    else runs, which dtam asks and never commands to move data.

    Without ``roots`` the directories of the selected ``shares`` are protected, and those of ``volumes`` beside them.
    """

    replication: Literal["native", "storage_replica", "external"] = "native"
    storage_replica: StorageReplicaSettings | None = None
    external: ExternalSettings | None = None
    roots: Annotated[tuple[Root, ...], Field(max_length=100)] = ()
    shares: ShareSelection = ShareSelection()
    volumes: Annotated[tuple[Root, ...], Field(max_length=100)] = ()
    route: Route | None = None
    mirror: Literal["checksum", "full"] = "checksum"
    compression: Compression = None
    bandwidth: BandwidthSettings | None = None
    mode: Literal["asynchronous", "synchronous"] = "asynchronous"
    synchronous_wait_s: Annotated[float, Field(gt=0, le=3600)] = 10.0
    when_late: Literal["continue", "wait"] = "continue"
    ignore_deletes: bool = False
    orphans: OrphanSettings = OrphanSettings()
    queue: QueueSettings = QueueSettings()

    @model_validator(mode="after")
    def _apart(self) -> Self:
        for side in (Where.SOURCE, Where.TARGET):
            paths = sorted((root.on(side) for root in self.roots), key=len)
            for outer, inner in combinations(paths, 2):
                if inside(inner, outer):
                    msg = f"{inner} lies inside {outer} on the {side}: protect the outer one, with rules"
                    raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _way_is_told(self) -> Self:
        wanted = {"storage_replica": self.storage_replica, "external": self.external}
        if self.replication in wanted and wanted[self.replication] is None:
            msg = f"replication: {self.replication} needs its options: connection.{self.replication}"
            raise ValueError(msg)
        unused = next((way for way, options in wanted.items() if options is not None and way != self.replication), None)
        if unused is not None:
            msg = f"connection.{unused} is given but replication is {self.replication}: set replication: {unused}, or leave it out"
            raise ValueError(msg)
        return self
