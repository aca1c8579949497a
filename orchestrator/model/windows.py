"""What a Windows host says about itself: values that checks and plans look at. Nothing here knows how the host was asked.

Access lists are SDDL as Windows prints it, security identifiers are the text form, times are seconds since the epoch, sizes bytes.
What could not be asked is a sentence in ``problems`` that names the part; the other parts are as good as ever.
"""

from __future__ import annotations

from typing import Any

import msgspec

from orchestrator.model.shares import HostsLine, sids_in

EVERY_SCOPE = "*"


class RegistryAsk(msgspec.Struct, frozen=True):
    r"""A registry value to be read: ``key`` as PowerShell writes it (``HKLM:\\SYSTEM\\...``)."""

    key: str
    name: str


class EventAsk(msgspec.Struct, frozen=True):
    """Events to be read, newest first: of a log, with one of these ids, at most ``limit``, none older than ``within_s``."""

    log: str
    ids: tuple[int, ...] = ()
    limit: int = 20
    within_s: float = 86400.0


class WindowsAsk(msgspec.Struct, frozen=True):
    """What is asked beyond the usual. ``services``: names with all that depends on them; every service is listed when none is named.

    ``sids`` are to be given names there; ``firewall_groups`` as rules name them (``@FirewallAPI.dll,-28502``), ``firewall_ports`` as ``tcp 1433``; ``modules`` and
    ``commands`` are looked for, by their exact names.
    """

    services: tuple[str, ...] = ()
    registry: tuple[RegistryAsk, ...] = ()
    firewall_groups: tuple[str, ...] = ()
    events: tuple[EventAsk, ...] = ()
    sids: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    firewall_ports: tuple[str, ...] = ()


USUAL = WindowsAsk()
"""Nothing beyond the usual."""


class WindowsService(msgspec.Struct, frozen=True):
    """A service. ``state``: running, stopped, start-pending, stop-pending, paused...; ``start_type``: automatic, manual, disabled, boot, system.

    ``needs`` are those it depends on, ``dependents`` those that depend on it, both by short name.
    """

    name: str
    display_name: str = ""
    state: str = ""
    start_type: str = ""
    account: str = ""
    needs: tuple[str, ...] = ()
    dependents: tuple[str, ...] = ()
    can_stop: bool = True

    @property
    def is_running(self) -> bool:
        """Whether it serves."""
        return self.state == "running"


class WindowsShare(msgspec.Struct, frozen=True):
    """A share of the Server service. ``special``: an administrative one (C$, ADMIN$, IPC$...), which belongs to its machine alone.

    ``options`` are the parameters of ``Set-SmbShare`` with their values: FolderEnumerationMode, CachingMode, ConcurrentUserLimit,
    EncryptData, ContinuouslyAvailable, CATimeout. ``scope`` other than ``*`` belongs to a cluster role.
    """

    name: str
    path: str = ""
    description: str = ""
    scope: str = EVERY_SCOPE
    kind: str = "FileSystemDirectory"
    special: bool = False
    options: dict[str, Any] = {}
    sddl: str = ""

    @property
    def sids(self) -> tuple[str, ...]:
        """The accounts that its access list names by number."""
        return sids_in(self.sddl)


class WindowsAddress(msgspec.Struct, frozen=True):
    """An address of an interface. ``dynamic``: leased by DHCP, so it may go; ``state``: preferred, tentative, duplicate, deprecated, invalid."""

    address: str
    prefix: int
    interface: str
    interface_index: int = 0
    dynamic: bool = False
    state: str = "preferred"
    skip_as_source: bool = False


class DnsClient(msgspec.Struct, frozen=True):
    """How an interface deals with DNS: whom it asks, and whether it registers its addresses there by itself."""

    interface: str
    servers: tuple[str, ...] = ()
    registers: bool = True
    suffix: str = ""


class WindowsVolume(msgspec.Struct, frozen=True):
    """A volume. ``letter`` is empty where it has none; ``paths`` are all its mount points; ``disk`` is the number of its disk, or None."""

    letter: str = ""
    label: str = ""
    fs: str = ""
    bytes: int = 0
    free_bytes: int = 0
    disk: int | None = None
    unique_id: str = ""
    paths: tuple[str, ...] = ()
    health: str = ""


class WindowsDisk(msgspec.Struct, frozen=True):
    """A disk. ``partition_style``: GPT, MBR or RAW; ``sector_bytes``: its logical sector, which Storage Replica wants equal on both sides."""

    number: int
    name: str = ""
    bytes: int = 0
    partition_style: str = ""
    sector_bytes: int = 0
    offline: bool = False
    read_only: bool = False
    clustered: bool = False


class RegistryValue(msgspec.Struct, frozen=True):
    """A registry value: ``kind`` is String (expanded where it has variables), DWord, QWord, MultiString or Binary (in Base64)."""

    key: str
    name: str
    exists: bool = False
    kind: str = ""
    value: Any = None


class FirewallGroup(msgspec.Struct, frozen=True):
    """The rules of a group: how many there are, how many inbound ones are enabled, and what people call it."""

    group: str
    display_name: str = ""
    rules: int = 0
    enabled_inbound: int = 0


class FirewallPort(msgspec.Struct, frozen=True):
    """A port as the firewall lets clients in: ``rules`` are the names of enabled inbound rules that allow it; ``blocked``: one forbids it."""

    protocol: str
    port: int
    rules: tuple[str, ...] = ()
    blocked: bool = False

    @property
    def open(self) -> bool:
        """Whether clients come in."""
        return bool(self.rules) and not self.blocked


class WindowsEvent(msgspec.Struct, frozen=True):
    """An entry of an event log."""

    log: str
    id: int
    source: str
    level: str
    at_s: float
    message: str = ""


class WindowsTask(msgspec.Struct, frozen=True):
    """A scheduled task of ours. ``state``: Ready, Running, Disabled...; ``last_result`` is None before its first run."""

    name: str
    state: str
    last_result: int | None = None


class Windows(msgspec.Struct, frozen=True):
    """A Windows host. ``role``: standalone-workstation, member-workstation, standalone-server, member-server, backup-domain-controller, primary-domain-controller.

    ``smb_server`` are the values of ``Get-SmbServerConfiguration``; ``optional_names``: further names that its Server service answers to;
    ``features`` are installed roles, ``software`` names with versions, ``unresolved_sids`` those of the question that have no name here.
    ``missing_modules`` and ``missing_commands`` are those of the question that are not there. ``language_mode``: FullLanguage, or what
    restricts scripts. ``clock_offset_s`` is its clock minus ours.
    """

    computer_name: str = ""
    dns_name: str = ""
    domain: str = ""
    workgroup: str = ""
    role: str = ""
    os_name: str = ""
    os_version: str = ""
    edition: str = ""
    boot_at_s: float = 0.0
    powershell_version: str = ""
    language_mode: str = ""
    execution_policy: str = ""
    account: str = ""
    elevated: bool = False
    pending_reboot: bool = False
    clock_offset_s: float | None = None
    domain_sid: str = ""
    local_sid: str = ""
    services: tuple[WindowsService, ...] = ()
    shares: tuple[WindowsShare, ...] = ()
    smb_server: dict[str, Any] = {}
    optional_names: tuple[str, ...] = ()
    addresses: tuple[WindowsAddress, ...] = ()
    dns_clients: tuple[DnsClient, ...] = ()
    volumes: tuple[WindowsVolume, ...] = ()
    disks: tuple[WindowsDisk, ...] = ()
    features: tuple[str, ...] = ()
    software: dict[str, str] = {}
    registry: tuple[RegistryValue, ...] = ()
    firewall: tuple[FirewallGroup, ...] = ()
    firewall_ports: tuple[FirewallPort, ...] = ()
    events: tuple[WindowsEvent, ...] = ()
    hosts: tuple[HostsLine, ...] = ()
    tasks: tuple[WindowsTask, ...] = ()
    unresolved_sids: tuple[str, ...] = ()
    missing_modules: tuple[str, ...] = ()
    missing_commands: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def is_controller(self) -> bool:
        """Whether it is a domain controller."""
        return self.role.endswith("domain-controller")

    @property
    def is_member(self) -> bool:
        """Whether it is a member of a domain."""
        return self.role.startswith("member-")

    def service(self, name: str) -> WindowsService | None:
        """The service of that short name, in any letters."""
        return next((one for one in self.services if one.name.lower() == name.lower()), None)

    def share(self, name: str) -> WindowsShare | None:
        """The share of that name, in any letters."""
        return next((one for one in self.shares if one.name.lower() == name.lower()), None)

    def address(self, address: str) -> WindowsAddress | None:
        """The interface that carries an address, or None."""
        return next((one for one in self.addresses if one.address == address), None)

    def volume(self, path: str) -> WindowsVolume | None:
        """The volume that a path lies on: the one with the longest mount point before it."""
        wanted = f"{path.rstrip(chr(92))}{chr(92)}".lower()
        found = [(len(mount), one) for one in self.volumes for mount in one.paths if wanted.startswith(mount.lower())]
        return max(found, key=lambda pair: pair[0])[1] if found else None

    def registry_value(self, key: str, name: str) -> RegistryValue | None:
        """A value that was asked for, or None when nobody asked."""
        wanted = (key.lower(), name.lower())
        return next((one for one in self.registry if (one.key.lower(), one.name.lower()) == wanted), None)
