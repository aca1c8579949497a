"""What a machine of the lab is made as, and where the lab may take hold of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from tests.lab.windows.machine.machine import Machine

GIB = 1 << 30


@dataclass(frozen=True)
class VolumeSettings:
    """A drive letter; ``directory`` None means a directory below the machine's own state."""

    letter: str
    directory: Path | None = None
    label: str = ""
    size: int = 64 * GIB
    disk: int | None = None  # None: a disk of its own
    style: str = "GPT"
    file_system: str = "NTFS"


@dataclass(frozen=True)
class AddressSettings:
    """An address on an adapter."""

    address: str
    prefix_length: int = 24
    adapter: str = "Ethernet"


@dataclass(frozen=True)
class MachineSettings:
    """A machine as it is installed; used only when its state directory is empty."""

    name: str = "WIN1"
    domain: str | None = None
    domain_netbios: str | None = None
    release: str = "2022"
    edition: str = "Datacenter"
    volumes: Sequence[VolumeSettings] = (VolumeSettings("C", label="System"), VolumeSettings("E", label="Data"))
    addresses: Sequence[AddressSettings] = (AddressSettings("10.0.0.10"),)
    adapters: Sequence[str] = ("Ethernet",)
    gateway: str | None = None
    dns_servers: Sequence[str] = ()
    features: Sequence[str] = ("FileAndStorage-Services", "File-Services", "FS-FileServer", "Storage-Services")
    accounts: Mapping[str, str] = field(default_factory=dict)  # name -> SID, in addition to the well-known ones
    delayed_start_s: float = 120.0


class Directory(Protocol):
    """The lab's directory as setspn and netdom use it; every method raises Refused."""

    def spns(self, account: str) -> Sequence[str]: ...
    def holders(self, spn: str) -> Sequence[str]: ...
    def add_spn(self, account: str, spn: str) -> None: ...
    def remove_spn(self, account: str, spn: str) -> None: ...
    def alternate_names(self, account: str) -> Sequence[str]: ...
    def add_alternate_name(self, account: str, name: str) -> None: ...
    def remove_alternate_name(self, account: str, name: str) -> None: ...
    def distinguished_name(self, account: str) -> str: ...


@dataclass
class Hooks:
    """What the lab lends the machine; None means that it has no such thing and says so as Windows would."""

    resolve: Callable[[str, str, str | None], Sequence[Mapping[str, Any]]] | None = (
        None  # name, type, server -> records
    )
    register_names: Callable[[Machine], None] | None = None  # what ipconfig /registerdns does
    directory: Directory | None = None
    put_address: Callable[[str, str, int], None] | None = None  # adapter, address, prefix
    take_address: Callable[[str, str, int], None] | None = None
    answers: Callable[[str], bool] | None = None  # whether somebody else on the wire has this address
    connect: Callable[[str, int], bool] | None = None  # host, port
    account_sid: Callable[[str], str | None] | None = None
    sid_account: Callable[[str], str | None] | None = None
    run_task: Callable[[Machine, str, str, str | None], int] | None = None  # program, arguments, directory -> exit code
    restart: Callable[[Machine], None] | None = None  # the lab's own way to boot it again
    peers: Mapping[str, tuple[str, int]] = field(
        default_factory=dict
    )  # computer name -> where its Storage Replica listens
    sessions: Callable[[], Sequence[Mapping[str, Any]]] | None = None  # of a real file server behind LanmanServer
    close_session: Callable[[int], None] | None = None
    deeds: dict[str, tuple[Callable[[], None], Callable[[], None]]] = field(
        default_factory=dict
    )  # service -> start, stop
