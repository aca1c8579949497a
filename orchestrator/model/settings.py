"""The settings of a protection, grouped as the guide's tabs: Failover, Monitoring, Connection, Advanced.

Every option has its default, its unit at the end of its name, and its limits. Defaults and limits are the guide's (chapter 6 of
the Application Manager guide) where it has them. Unknown keys are refused. Where each value came from is kept beside the
settings (``Protection.origins``), not in them, so that equal settings compare equal.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from orchestrator.model.fields import (
    AbsolutePath,
    CheckId,
    ClientName,
    Command,
    DataPath,
    IpAddress,
    Port,
    ServiceName,
    ShortName,
    Tab,
)
from orchestrator.model.paths import inside
from orchestrator.model.servers import Where
from orchestrator.model.settings_domain import (
    DirectorySettings,
    IdentitySettings,
    ItemSettings,
    SambaSettings,
    ShareSelection,
    WindowsSettings,
)
from orchestrator.model.settings_line import BandwidthSettings, Compression
from orchestrator.model.settings_monitoring import MonitoringTab
from orchestrator.model.settings_names import DnsSettings
from orchestrator.model.settings_replication import ExternalSettings, StorageReplicaSettings
from orchestrator.model.settings_snapshots import SnapshotsTab

MIB = 1024 * 1024
Item = Literal["addresses", "name", "shares", "spns"]
Seconds = Annotated[float, Field(gt=0, le=86400)]


class ServiceCommands(Tab):
    """How a service is started, stopped and asked on one side, where it differs from the other."""

    unit: ServiceName | None = None
    start_command: Command = ()
    stop_command: Command = ()
    health_command: Command = ()
    health_url: Annotated[str, Field(max_length=2000, pattern=r"^https?://")] | None = None
    environment: dict[str, str] = Field(default={})


class ServiceSettings(ServiceCommands):
    """A protected service: a ``unit`` of systemd or a service of Windows by its short name, or commands that the engine runs and watches itself.

    ``required`` services come from the application and cannot be removed. ``grace_s`` is how long it may take to stop before it
    is killed, ``start_timeout_s`` to become healthy.
    """

    name: ShortName
    must_be_stopped_on_target: bool = True
    required: bool = False
    user: ShortName | None = None
    grace_s: Annotated[float, Field(ge=0, le=3600)] = 10.0
    start_timeout_s: Annotated[float, Field(gt=0, le=3600)] = 30.0
    source: ServiceCommands | None = None
    target: ServiceCommands | None = None

    @model_validator(mode="after")
    def _startable(self) -> Self:
        for where in (Where.SOURCE, Where.TARGET):
            side = self.on(where)
            if (side.unit is None) == (not side.start_command):
                msg = f"service {self.name} needs either unit or start_command on the {where}"
                raise ValueError(msg)
        return self

    def on(self, where: Where) -> ServiceCommands:
        """The commands of one side: its own where given, else the common ones."""
        own = self.target if where is Where.TARGET else self.source
        common = {name: getattr(self, name) for name in ServiceCommands.model_fields}
        given = {name: getattr(own, name) for name in own.model_fields_set} if own else {}
        return ServiceCommands(**common | given)

    def document(self, where: Where) -> dict[str, Any]:
        """The service as the engine's control API takes it."""
        side = self.on(where).model_dump(mode="json")
        return side | {
            "name": self.name,
            "user": self.user,
            "grace_s": self.grace_s,
            "start_timeout_s": self.start_timeout_s,
        }


class HealthSettings(Tab):
    """How the service is asked through the clients' name; a failover is done only when this answers.

    ``url`` may hold ``{name}`` for the clients' name. ``within_s`` is the budget, from the first question to the answer.
    """

    url: Annotated[str, Field(max_length=2000, pattern=r"^https?://")] | None = None
    command: Command = ()
    expect: Annotated[str, Field(max_length=1000)] = ""
    timeout_s: Seconds = 5.0
    within_s: Seconds = 120.0


class FailoverTab(Tab):
    """What happens when the target takes over.

    ``type`` dns changes the records of the clients' name; identity takes the source's addresses over, on the same subnet only.
    ``samba`` says that the source shares files by Samba, ``windows`` that it is a Windows file server; ``directory`` the domain whose accounts give their service names away.
    ``not_awaited``: scripts whose end nothing waits for: of a failover's the whole, of a failback's people's own part. ``wait`` false: none is.
    ``settle``: apply what had arrived before the loss (apply), or drop what was queued (discard). Where the target's data is not good, an
    automatic failover goes back to its last good state, if that was kept.
    """

    type: Literal["dns", "identity"] = "dns"
    items: ItemSettings = ItemSettings()
    dns: DnsSettings = DnsSettings()
    identity: IdentitySettings = IdentitySettings()
    directory: DirectorySettings | None = None
    samba: SambaSettings | None = None
    windows: WindowsSettings | None = None
    services: Annotated[tuple[ServiceSettings, ...], Field(max_length=200)] = ()
    health: HealthSettings = HealthSettings()
    settle: Literal["apply", "discard"] = "apply"
    settle_timeout_s: Seconds = 300.0
    wait: bool = True
    not_awaited: tuple[Literal["pre_failover", "post_failover", "pre_failback", "post_failback"], ...] = ()

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        names = [service.name for service in self.services]
        again = sorted({name for name in names if names.count(name) > 1})
        if again:
            msg = f"service {again[0]} is listed more than once"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _items_can_move(self) -> Self:
        for why in self._impossible():
            raise ValueError(why)
        return self

    def _impossible(self) -> Iterator[str]:
        if self.items.addresses and self.type == "dns":
            yield "items.addresses needs type: identity; a DNS failover leads names to the target's own addresses"
        if self.items.spns and self.directory is None:
            yield "items.spns needs directory: the domain whose accounts hold the service names"
        if self.samba is not None and self.windows is not None:
            yield "samba and windows are two kinds of file server: give one of both"
        if (self.items.shares or self.items.name) and not self.shares_files:
            yield "items.name and items.shares need samba or windows: what shares the files out"
        if self.fails_over("addresses") and not self.identity.addresses:
            yield "an identity failover needs identity.addresses, or items.addresses: false"
        if self.dns.signing == "kerberos" and self.dns.domain is None and self.directory is None:
            yield "dns.security kerberos needs dns.domain or directory"

    def waits_for(self, script: str) -> bool:
        """Whether what follows a script begins only when it has ended."""
        return self.wait and script not in self.not_awaited

    def fails_over(self, item: Item) -> bool:
        """Whether an item moves: as chosen, else what a Samba file server needs."""
        chosen: bool | None = getattr(self.items, item)
        if chosen is not None:
            return chosen
        if item == "addresses":
            return self.type == "identity"
        return self.shares_files and (item != "spns" or self.directory is not None)

    @property
    def shares_files(self) -> bool:
        """Whether shares, names and service names move with the data."""
        return self.samba is not None or self.windows is not None

    @property
    def moves_names(self) -> bool:
        """Whether records in DNS are changed."""
        return self.type == "dns" and bool(self.dns.servers)


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


class RuleSettings(Tab):
    """One line of a replication set: ``path`` is absolute on the source or relative to its root."""

    path: Annotated[str, Field(max_length=4096)] = ""
    include: bool = True
    recursive: bool = True


class ScriptSettings(Tab):
    """People's own commands, kept in the marked place of each script."""

    pre_failover: Annotated[str, Field(max_length=65536)] = ""
    post_failover: Annotated[str, Field(max_length=65536)] = ""
    pre_failback: Annotated[str, Field(max_length=65536)] = ""
    post_restore: Annotated[str, Field(max_length=65536)] = ""
    post_failback: Annotated[str, Field(max_length=65536)] = ""


class SilencedCheck(Tab):
    """A check that is not to be reported, with the reason, which is shown instead."""

    check: CheckId
    reason: Annotated[str, Field(min_length=3, max_length=500)]


class AdvancedTab(Tab):
    """Replication set rules, scripts, budgets, checks. Ages and budgets in seconds."""

    replication_set: ShortName | None = None
    override_generated_rules: bool = False
    rules: Annotated[tuple[RuleSettings, ...], Field(max_length=10_000)] = ()
    scripts: ScriptSettings = ScriptSettings()
    silenced: Annotated[tuple[SilencedCheck, ...], Field(max_length=200)] = ()
    step_budget_s: Seconds = 300.0
    mirror_budget_s: Annotated[float, Field(gt=0, le=30 * 86400)] = 86400.0
    facts_age_limit_s: Annotated[float, Field(ge=60, le=30 * 86400)] = 86400.0
    clock_offset_limit_s: Annotated[float, Field(gt=0, le=3600)] = 2.0

    @model_validator(mode="after")
    def _rules_wanted(self) -> Self:
        if self.rules and not self.override_generated_rules:
            msg = "rules are given but override_generated_rules is false: set it to true, or leave the rules out"
            raise ValueError(msg)
        return self


class Settings(Tab):
    """All settings of one protection. ``name`` is the full DNS name that clients use."""

    application: ShortName
    source: ShortName
    target: ShortName
    name: ClientName
    failover: FailoverTab = FailoverTab()
    monitoring: MonitoringTab = MonitoringTab()
    connection: ConnectionTab = ConnectionTab()
    snapshots: SnapshotsTab = SnapshotsTab()
    advanced: AdvancedTab = AdvancedTab()

    @model_validator(mode="after")
    def _two_servers(self) -> Self:
        if self.source.lower() == self.target.lower():
            msg = f"source and target are the same server, {self.source}"
            raise ValueError(msg)
        return self

    @property
    def replication_set(self) -> str:
        """The name of the replication set; by default application_source_target, as the guide names it, which allows no period."""
        return self.advanced.replication_set or f"{self.application}_{self.source}_{self.target}".replace(".", "-")

    def set_name(self, position: int) -> str:
        """The set of the root at ``position``: each captured directory keeps its own order, so each has its own set."""
        return self.replication_set if position == 0 else f"{self.replication_set}_{position + 1}"
