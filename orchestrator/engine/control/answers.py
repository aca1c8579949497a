"""The documents that the control API gives back: what is so, as the engine sees it now."""

from __future__ import annotations

from typing import Any, Literal

from orchestrator.engine.control.fields import Answer
from orchestrator.engine.control.schema import MountRequest, Scope


class Refusal(Answer):
    """Why something was not done: one sentence, what to do next, and the exit code for a command line."""

    error: str
    message: str
    hint: str
    exit_code: int


class ServerStatus(Answer):
    """Who this engine is and what it can do. ``fingerprint`` is the SHA-256 of its certificate."""

    name: str
    engine_id: str
    version: str
    fingerprint: str
    certificate_pem: str
    addresses: list[str]
    control_port: int
    data_port: int
    probe_port: int
    capture: Literal["fuse", "watcher"]
    capture_says: str = ""
    boot_id: str
    time_ns: int
    uptime_s: float


class InterfaceAddress(Answer):
    """An address of the host and the interface that carries it."""

    address: str
    interface: str


class PathFacts(Answer):
    """What is known of a path; sizes are None where nothing is there. ``owner`` is the account's name, its number where it has none."""

    exists: bool
    kind: str = "absent"
    bytes: int | None = None
    free_bytes: int | None = None
    fs: str = ""
    entries: int | None = None
    owner: str = ""


class Facts(Answer):
    """What a host says about itself."""

    hostname: str
    addresses: list[InterfaceAddress]
    boot_id: str
    paths: dict[str, PathFacts]
    listening: list[str]


class HostsEntry(Answer):
    """A line of the hosts file; names in small letters."""

    address: str
    names: list[str]


class NetworkFacts(Answer):
    """An address with its interface and prefix length; ``dynamic``: it was leased and may go."""

    address: str
    prefix: int
    interface: str
    dynamic: bool = False


class KeytabFacts(Answer):
    """A keytab file: permission bits, owner's number and the principals in it; never a key. A link is not followed."""

    path: str
    exists: bool
    is_link: bool = False
    mode: int = 0
    owner: int = 0
    principals: list[str] = []


class ShareFacts(Answer):
    """A share of Samba: ``origin`` is smb.conf, registry or usershare; ``sddl`` its ACL with masks as numbers.

    ``acl_problem``: why its ACL cannot be read; ``sddl`` is empty then, and says nothing.
    """

    name: str
    path: str
    comment: str = ""
    origin: str = "smb.conf"
    options: dict[str, str] = {}
    sddl: str = ""
    administrative: bool = False
    acl_problem: str = ""


class SambaFacts(Answer):
    """What a host says about its file sharing by Samba, and about names apart from DNS."""

    installed: bool
    conf: str
    version: str = ""
    role: str = ""
    workgroup: str = ""
    realm: str = ""
    netbios_name: str = ""
    netbios_aliases: list[str] = []
    dns_names: list[str] = []
    kerberos_method: str = ""
    registry_shares: bool = False
    local_sid: str = ""
    domain_sid: str = ""
    shares: list[ShareFacts] = []
    running: list[str] = []
    unresolved_sids: list[str] = []
    hosts: list[HostsEntry] = []
    networks: list[NetworkFacts] = []
    keytabs: list[KeytabFacts] = []
    winbind_names: bool = False
    resolvers: list[str] = []
    problems: list[str] = []


class Token(Answer):
    """A token by name; ``token`` itself is shown once, when it is made."""

    name: str
    scope: Scope
    created_ns: int
    token: str | None = None


class DeviceStatus(Answer):
    """A loop device over a file in a captured directory; ``device`` is empty where none is attached."""

    file: str
    device: str
    state: Literal["attached", "detached"]
    says: str
    offset_bytes: int = 0


class MountStatus(Answer):
    """The capture over one directory. ``says`` is one sentence: how it is, and what is weaker with a watcher."""

    path: str
    capture: Literal["fuse", "watcher"]
    state: Literal["capturing", "stopped", "out_of_step", "failed"]
    says: str
    log_id: str = ""
    pid: int | None = None
    committed_sequence: int = 0
    released_sequence: int = 0
    memory_bytes: int = 0
    disk_bytes: int = 0
    operations_total: int = 0
    data_bytes_total: int = 0
    fenced: bool = False
    clean: bool = False
    restarts: int = 0
    limits: MountRequest


class SetSize(Answer):
    """The regular files of a replication set and their bytes, counted at ``calculated_ns`` and a little after."""

    files: int
    bytes: int
    calculated_ns: int


class ServiceStatus(Answer):
    """A protected service on this host. ``fenced`` means that a start would be refused.

    ``start_type`` says whether the host's own manager starts it at boot; a command of ours never starts by itself.
    """

    name: str
    protection: str
    backend: Literal["unit", "command"]
    state: Literal["running", "stopped", "failed"]
    pid: int | None = None
    healthy: bool | None = None
    fenced: bool = False
    start_type: Literal["manual", "automatic", "unknown"] = "unknown"
    says: str = ""


class FenceStatus(Answer):
    """Whether protected services may run here, and why."""

    held: bool
    reason: str


class MonitorStatus(Answer):
    """The watch over the source: ``colour`` green, yellow (from a quarter of the misses) or red."""

    enabled: bool
    colour: Literal["off", "green", "yellow", "red"] = "off"
    missed: int = 0
    allowed: int = 0
    time_to_fail_s: float | None = None
    says: str = ""


class ProtectionState(Answer):
    """Where a protection stands on this engine. ``phase`` is that of its failover; ``says`` is the last decision."""

    id: str
    role: Literal["source", "target"]
    epoch: int
    phase: str = "idle"
    says: str = ""
    fence: FenceStatus
    monitor: MonitorStatus
    lease_remaining_s: float | None = None
    run_id: str | None = None
    detected_ns: int | None = None
    finished_ns: int | None = None
    waiting_for_person: bool = False
    details: dict[str, Any] = {}


class ScriptStatus(Answer):
    """A delivered script. ``changed``: its bytes are no longer those that were delivered, so it is not run."""

    name: str
    sha256: str
    bytes: int
    changed: bool = False


class ScriptText(Answer):
    """A script as it lies on the host; ``sha256`` is that of its delivery, ``changed`` whether it was edited here since."""

    text: str
    sha256: str
    changed: bool = False


class LogText(Answer):
    """The last lines of a log on the host; none where nobody wrote it yet."""

    name: str
    path: str
    lines: list[str]


class RunStatus(Answer):
    """One run of a script. ``interrupted`` means it was cut off: run it again with the same id to go on."""

    run_id: str
    protection: str
    script: str
    state: Literal["running", "done", "failed", "interrupted"]
    script_exit_code: int | None = None
    started_ns: int = 0
    finished_ns: int | None = None
    dry_run: bool = False
    undo: bool = False
    lines: list[dict[str, Any]] = []
    output: str = ""


class Event(Answer):
    """Something that happened: ``n`` counts up for ever."""

    n: int
    time_ns: int
    kind: str
    sentence: str
    facts: dict[str, Any] = {}


class Done(Answer):
    """It was done; ``says`` is one sentence."""

    says: str


class Settled(Answer):
    """How a settle ended."""

    settled: bool
    says: str
    acknowledged_sequence: int = 0
    applied_sequence: int = 0
