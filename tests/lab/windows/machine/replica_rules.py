"""What Storage Replica asks of a server and of its volumes before it replicates them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.lab.windows.machine.refusals import Refused

if TYPE_CHECKING:
    from tests.lab.windows.machine.machine import Machine

TIB = 1 << 40
LEAST_LOG = 512 << 20  # page of New-SRGroup: not below 512 MB
CLASS = "MSFT_WvrAdminTasks:root/Microsoft/...T_WvrAdminTasks"


def refused(message: str, code: int, target: Any = None) -> Refused:
    """The provider's error; its texts are not published, the ids are Windows System Error with the Win32 number (both not confirmed)."""
    category = {5: "PermissionDenied", 1168: "ObjectNotFound", 183: "ResourceExists", 87: "InvalidArgument"}.get(
        code, "NotSpecified"
    )
    exception = "Microsoft.Management.Infrastructure.CimException"
    return Refused(message, f"Windows System Error {code}", category, exception, target or CLASS, code)


def check_server(machine: Machine) -> None:
    """The feature, and an edition that may replicate."""
    if not machine.computer.has_feature("Storage-Replica"):
        raise refused("The Storage Replica feature is not installed on this server.", 50)
    if not machine.computer.is_datacenter and machine.computer.release == "2016":
        raise refused("Storage Replica needs the Datacenter edition.", 50)


def check_volumes(machine: Machine, volumes: list[str], log_volume: str, log_size: int) -> tuple[list[str], str]:
    """Letters of the data volumes and of the log volume.

    Raises:
        Refused: a volume that is not there, the system's, not GPT, not NTFS or ReFS, in another group, the log on a data disk, too small a log,
            or more than a Standard edition may (one volume of at most 2 TB).
    """
    check_server(machine)
    found = [_volume(machine, name) for name in volumes]
    log = _volume(machine, log_volume)
    letters = [one["letter"] for one in found]
    for volume in [*found, log]:
        if volume["letter"] == "C":
            raise refused(f"The volume {volume['letter']}: contains the operating system and cannot be replicated.", 87)
        if volume["style"] != "GPT":
            raise refused(f"The disk of volume {volume['letter']}: is not initialised as GPT.", 87)
        if volume["file_system"] not in {"NTFS", "ReFS"}:
            raise refused(f"The volume {volume['letter']}: is not formatted with NTFS or ReFS.", 87)
        if any(volume["letter"] in {*group["volumes"], group["log"]} for group in machine.replica.groups()):
            raise refused(f"The volume {volume['letter']}: is already part of a replication group.", 183)
    if log["disk"] in {one["disk"] for one in found}:
        raise refused("The log volume must be on another disk than the data volumes.", 87)
    if log_size < LEAST_LOG:
        raise refused(f"The log size {log_size} is below the least size of {LEAST_LOG} bytes.", 87)
    if log["size"] < log_size:
        raise refused(f"There is not enough space on the log volume {log['letter']}:.", 112)
    if not machine.computer.is_datacenter:
        _check_standard(machine, found)
    return letters, log["letter"]


def _check_standard(machine: Machine, found: list[dict[str, Any]]) -> None:
    if len(found) > 1 or machine.replica.groups():
        raise refused("The Standard edition replicates a single volume in one partnership.", 50)
    if found[0]["size"] > 2 * TIB:
        raise refused("The Standard edition replicates a volume of at most 2 TB.", 50)


def _volume(machine: Machine, name: str) -> dict[str, Any]:
    found = machine.volumes.find(name)
    if found is None:
        raise refused(f"Unable to find the volume {name}.", 1168)
    return found


def volume_facts(machine: Machine, group: dict[str, Any]) -> list[dict[str, Any]]:
    """What the other side compares: sizes, file systems."""
    volumes = [machine.volumes.data["volumes"][letter] for letter in group["volumes"]]
    log = machine.volumes.data["volumes"][group["log"]]
    return [{"size": one["size"], "file_system": one["file_system"]} for one in [*volumes, log]]


def check_alike(here: list[dict[str, Any]], there: list[dict[str, Any]]) -> None:
    """Both sides have as many volumes, each of one size and file system, and logs of one size.

    Raises:
        Refused: they differ.
    """
    if len(here) != len(there):
        raise refused("The source and the destination groups have different numbers of volumes.", 87)
    for own, other in zip(here, there, strict=True):
        if own["size"] != other["size"] or own["file_system"] != other["file_system"]:
            raise refused("The source and destination volumes have different sizes or file systems.", 87)
