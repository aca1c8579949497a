"""The documents that the control API takes: every field with its unit, default and limits. Unknown fields are refused.

Units stand at the end of a name: ``_bytes``, ``_s``, ``_ns``. The protection document is given to both engines, so that each
can act for it without asking anybody.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, StringConstraints, model_validator

from orchestrator.engine.control.fields import (
    MIB,
    Address,
    Bytes,
    Command,
    EngineId,
    Epoch,
    Fingerprint,
    Name,
    Path,
    Port,
    Request,
    Sentence,
)
from orchestrator.engine.control.schema_application import ApplicationWatch
from orchestrator.engine.control.schema_lines import Bandwidth
from orchestrator.engine.control.schema_sets import (
    Mapping,
    MirrorOptions,
    Orphans,
    PathPair,
    ReplicationSet,
    Route,
    Rule,
    SetName,
)
from orchestrator.engine.control.schema_shares import FollowedShares
from orchestrator.engine.control.schema_snapshots import SnapshotSettings
from orchestrator.engine.control.schema_terms import ConnectionTerms

__all__ = [
    "Bandwidth",
    "ConnectionTerms",
    "Mapping",
    "MirrorOptions",
    "Orphans",
    "PathPair",
    "ReplicationSet",
    "Route",
    "Rule",
    "SetName",
]

ScriptName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
MISSED_MAX = 2_000_000
"""A thousand replies, and those of a cluster's cushion of a day beside them."""
RunId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Scope(StrEnum):
    """What a caller may do: ``admin`` acts, ``monitor`` looks."""

    ADMIN = "admin"
    MONITOR = "monitor"


class TokenRequest(Request):
    """A new token for remote callers."""

    name: Name
    scope: Scope = Scope.MONITOR


class Peer(Request):
    """Another engine whose key this one trusts."""

    name: Name
    engine_id: EngineId
    fingerprint: Fingerprint
    certificate_pem: Annotated[str, Field(max_length=16384)]
    address: Address
    control_port: Port = 6320
    data_port: Port = 6321


class PairRequest(Request):
    """Pair with the engine at an address: it must show ``fingerprint``; ``token`` is an admin token of that engine.

    Through an address translation: ``control_port`` and ``data_port`` are those at which it is reached from here.
    """

    address: Address
    control_port: Port = 6320
    fingerprint: Fingerprint
    token: SecretStr
    own_address: Address | None = None
    data_port: Port | None = None


class MountRequest(Request):
    """Capture every change under ``path``. ``auto`` takes the capturing file system where it can be had, else the watcher.

    The queue is in memory first, then on disk: ``disk_limit_bytes`` None is unlimited, 0 no disk queue. ``alert_percent`` of it in use is
    told in the events and the system log. ``access_times``: when files were read is replicated, too (by the capturing file system).
    ``disk_folder``: where the disk queue lies; None: in the engine's state directory. It counts from the next capture on.
    """

    path: Path
    memory_limit_bytes: Bytes = 128 * MIB
    disk_limit_bytes: Bytes | None = None
    minimum_free_bytes: Bytes = 50 * MIB
    alert_percent: int = Field(default=50, ge=1, le=100)
    capture: Literal["auto", "fuse", "watcher"] = "auto"
    access_times: bool = False
    disk_folder: Path | None = None


class DeviceRequest(Request):
    """A loop device over ``file``, which lies in a captured directory; the first free one when ``device`` is empty."""

    file: Path
    device: Annotated[str, Field(pattern=r"^(/dev/loop[0-9]{1,4})?$")] = ""
    offset_bytes: Bytes = 0


class ConnectionRequest(ConnectionTerms):
    """Connect a replication set to a target.

    ``remap_link``: absolute soft links into the set point into the replica there. ``calculate_size``: find out how much there is beside
    each mirror, so that percentage and remaining bytes can be told. ``auto_remirror``: after a queue was lost the target is mirrored
    again by itself, by ``auto_remirror_kind``; off, replication stays Pending until a person mirrors. ``simulate``: nothing is sent, all
    is counted. ``restore_set``: a restore gives the set, too, to a server that has none of its name.
    A restore that spares files is a mirror alone: later changes of a file that was spared would not fit it.
    """

    replication_set: Name
    target: Name
    mapping: Mapping = Mapping()
    start_mirror: bool = True
    start_replication: bool = True
    auto_remirror: bool = True
    auto_remirror_kind: Literal["checksum", "difference", "full"] = "checksum"
    remap_link: bool = True
    calculate_size: bool = True
    purpose: Literal["protect", "restore"] = "protect"
    restore_set: bool = False
    protection: Name | None = None
    epoch: Epoch = 0
    simulate: bool = False

    @model_validator(mode="after")
    def _whole_or_alone(self) -> Self:
        if self.is_sparing and self.start_replication:
            msg = "a restore that spares files is a mirror alone: start_replication must be false"
            raise ValueError(msg)
        return self

    @property
    def is_sparing(self) -> bool:
        """A restore after which the other side may hold files of its own."""
        return self.purpose == "restore" and self.mirror.spares

    @property
    def terms(self) -> ConnectionTerms:
        """What of it may change."""
        return ConnectionTerms.model_validate(self.model_dump(include=set(ConnectionTerms.model_fields)))


class ConnectionActionKind(StrEnum):
    """What a connection can be told."""

    START_MIRROR = "start_mirror"
    STOP_MIRROR = "stop_mirror"
    PAUSE_MIRROR = "pause_mirror"
    RESUME_MIRROR = "resume_mirror"
    START_REPLICATION = "start_replication"
    STOP_REPLICATION = "stop_replication"
    PAUSE = "pause"
    RESUME = "resume"
    SETTLE = "settle"
    VERIFY = "verify"
    REMOVE_ORPHANS = "remove_orphans"
    STOP_ORPHANS = "stop_orphans"
    SYNCHRONOUS = "synchronous"
    ASYNCHRONOUS = "asynchronous"


class ConnectionAction(Request):
    """An action on a connection; ``options`` are those of the mirror or of the verification, which with ``remirror`` sends what differs.

    ``remove_orphans`` takes only ``options.orphans``; without them what the connection was made with.
    """

    action: ConnectionActionKind
    options: MirrorOptions | None = None
    remirror: bool = False
    timeout_s: float = Field(default=60.0, gt=0, le=3600)


class ReplicaActionKind(StrEnum):
    """What a replica (the target's end of a connection) can be told."""

    PAUSE = "pause"
    RESUME = "resume"
    SETTLE = "settle"
    DISCARD_QUEUE = "discard_queue"
    PROMOTE = "promote"
    DEMOTE = "demote"
    SET_ASIDE_LIST = "set_aside_list"
    FORGET = "forget"


class ReplicaAction(Request):
    """An action on a replica. ``discard_changes`` (with demote, forget) lets go what was changed here after a failover."""

    action: ReplicaActionKind
    epoch: Epoch | None = None
    capture: bool = True
    discard_changes: bool = False
    by: Sentence = ""
    timeout_s: float = Field(default=60.0, gt=0, le=3600)


class EngineSide(Request):
    """One of the two engines of a protection."""

    name: Name
    engine_id: EngineId
    addresses: list[Address] = Field(default=[], max_length=64)
    control_address: Address
    control_port: Port = 6320
    data_port: Port = 6321
    probe_port: Port = 6320
    fingerprint: Fingerprint


class Root(Request):
    """A protected directory and its place on the target."""

    source_path: Path
    target_path: Path


class Service(Request):
    """A protected service: a systemd ``unit``, or commands that the daemon runs and watches itself."""

    name: Name
    unit: Name | None = None
    start_command: Command = []
    stop_command: Command = []
    health_command: Command = []
    health_url: Annotated[str, Field(max_length=2000, pattern=r"^https?://")] | None = None
    environment: dict[str, str] = {}
    user: Name | None = None
    grace_s: float = Field(default=10.0, ge=0, le=3600)
    start_timeout_s: float = Field(default=30.0, gt=0, le=3600)

    @model_validator(mode="after")
    def _one_backend(self) -> Self:
        if (self.unit is None) == (not self.start_command):
            msg = "give either unit or start_command"
            raise ValueError(msg)
        return self


class Witness(Request):
    """The arbiter on a third machine."""

    address: Address
    port: Port = 6322
    fingerprint: Fingerprint
    lease_s: float = Field(default=10.0, ge=0.2, le=3600)


class AddressPace(Request):
    """How often one address of the source is asked, and how many missed replies make it silent."""

    address: Address
    interval_s: float = Field(default=5.0, ge=0.05, le=3600)
    missed: int = Field(default=5, ge=1, le=MISSED_MAX)


class Monitor(Request):
    """How the target watches the source: ``interval_s`` x ``missed`` is the time to failure, but for addresses with ``paces`` of their own.

    ``insist_without_witness``: where there is no witness, fail over by itself all the same; a recorded choice.
    """

    method: Literal["udp", "icmp", "both"] = "udp"
    addresses: list[Address] = Field(default=[], max_length=64)
    require: Literal["any", "all"] = "all"
    interval_s: float = Field(default=5.0, ge=0.05, le=3600)
    missed: int = Field(default=5, ge=1, le=MISSED_MAX)
    manual_intervention: bool = True
    insist_without_witness: bool = False
    paces: list[AddressPace] = Field(default=[], max_length=64)
    application: ApplicationWatch | None = None


class FailoverSettings(Request):
    """What the target does when it takes over. While it serves, moved names are registered again each ``refresh_names_s``; None: never.

    While it waits, the steps ``logins`` of its script gather the source's log-ins anew each ``refresh_logins_s``; None: never.

    ``wait`` is whether the scripts are waited for, but for one that has a word of its own.
    """

    settle: Literal["apply", "discard"] = "apply"
    settle_timeout_s: float = Field(default=300.0, gt=0, le=86400)
    pre_script: ScriptName | None = None
    post_script: ScriptName | None = "post_failover"
    wait: bool = True
    wait_pre_script: bool | None = None
    wait_post_script: bool | None = None
    capture: bool = True
    refresh_names_s: float | None = Field(default=None, ge=1, le=31_536_000)
    refresh_logins_s: float | None = Field(default=None, ge=1, le=31_536_000)
    logins: list[Name] = Field(default=[], max_length=50)
    shares: FollowedShares | None = None


class Protection(Request):
    """All that an engine must know to act for a protection by itself."""

    id: Name
    application: Name
    role: Literal["source", "target"]
    epoch: Epoch = 0
    name: Annotated[str, Field(max_length=253)] = ""
    source: EngineSide
    target: EngineSide
    roots: list[Root] = Field(default=[], max_length=100)
    replication_set: Name
    services: list[Service] = Field(default=[], max_length=200)
    witness: Witness | None = None
    monitor: Monitor = Monitor()
    failover: FailoverSettings = FailoverSettings()
    snapshots: SnapshotSettings = SnapshotSettings()
    dns: dict[str, Any] = {}
    takeover: dict[str, Any] = {}
    scripts: dict[ScriptName, Sha256] = {}

    @property
    def own_side(self) -> EngineSide:
        """The engine that this document was given to."""
        return self.source if self.role == "source" else self.target


class ProtectionActionKind(StrEnum):
    """What a protection can be told."""

    ENABLE_MONITOR = "enable_monitor"
    DISABLE_MONITOR = "disable_monitor"
    FAILOVER = "failover"
    CONTINUE_FAILOVER = "continue_failover"
    UNDO_FAILOVER = "undo_failover"
    FENCE = "fence"
    UNFENCE = "unfence"
    RELEASE = "release"
    ACKNOWLEDGE = "acknowledge"
    RENEW_SHARES = "renew_shares"
    ASK_APPLICATION = "ask_application"
    SET_EPOCH = "set_epoch"


class ProtectionAction(Request):
    """An action on a protection. ``forced`` is a person's word that the other side is down; ``by`` is who said it."""

    action: ProtectionActionKind
    epoch: Epoch | None = None
    forced: bool = False
    by: Sentence = ""
    reason: Sentence = ""
    run_id: RunId | None = None
    data: Annotated[str, Field(pattern=r"^(|apply|discard|snapshot:[0-9TZa-f-]{10,40})$")] = ""
    """What a failover goes on with; empty: as the settings say."""


class Script(Request):
    """A script delivered for a protection; ``sha256`` is that of ``text`` in UTF-8."""

    text: Annotated[str, Field(max_length=4 * MIB)]
    sha256: Sha256


class RunRequest(Request):
    """Run a delivered script with these step ids (all when empty); the same ``run_id`` goes on where it was cut off."""

    run_id: RunId
    segments: list[Annotated[str, Field(max_length=200)]] = Field(default=[], max_length=10_000)
    dry_run: bool = False
    undo: bool = False
    facts: dict[str, Any] = {}
    epoch: Epoch | None = None
