"""What the simulated server refuses, in the terms that PowerShell shows: message, error id, category, exception."""

from __future__ import annotations

from typing import Any


class Refused(Exception):
    """The server said no.

    ``id`` is the first half of a FullyQualifiedErrorId (the command's name is added where the record is made), ``category`` a member of
    System.Management.Automation.ErrorCategory, ``exception`` the .NET type, ``target`` the object that the record points at.
    """

    def __init__(  # noqa: PLR0917 - the order in which PowerShell shows them
        self,
        message: str,
        id: str = "InvalidOperation",  # noqa: A002 - the name PowerShell gives it
        category: str = "InvalidOperation",
        exception: str = "System.InvalidOperationException",
        target: Any = None,
        code: int = 0,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.id = id
        self.category = category
        self.exception = exception
        self.target = target
        self.code = code  # the Win32 error, for native programs


WIN32 = {
    2: "The system cannot find the file specified.",
    3: "The system cannot find the path specified.",
    5: "Access is denied.",
    21: "The device is not ready.",
    32: "The process cannot access the file because it is being used by another process.",
    50: "The request is not supported.",
    53: "The network path was not found.",
    67: "The network name cannot be found.",
    87: "The parameter is incorrect.",
    112: "There is not enough space on the disk.",
    123: "The filename, directory name, or volume label syntax is incorrect.",
    1053: "The service did not respond to the start or control request in a timely fashion.",
    1056: "An instance of the service is already running.",
    1058: "The service cannot be started, either because it is disabled or because it has no enabled devices associated with it.",
    1060: "The specified service does not exist as an installed service.",
    1061: "The service cannot accept control messages at this time.",
    1062: "The service has not been started.",
    1068: "The dependency service or group failed to start.",
    1072: "The specified service has been marked for deletion.",
    1073: "The specified service already exists.",
    1051: "A stop control has been sent to a service that other running services are dependent on.",
    1168: "Element not found.",
    1332: "No mapping between account names and security IDs was done.",
    1336: "The access control list (ACL) structure is invalid.",
    1338: "The security descriptor structure is invalid.",
    1722: "The RPC server is unavailable.",
    2114: "The Server service is not started.",
    2118: "The name has already been shared.",
    2310: "This shared resource does not exist.",
    5010: "The object already exists.",
}


def cim_error(code: int, class_name: str, message: str | None = None, category: str | None = None) -> Refused:
    """A CIM provider's error as the cmdlets over CIM show it: ``Windows System Error <code>``."""
    categories = {
        5: "PermissionDenied",
        2: "ObjectNotFound",
        3: "ObjectNotFound",
        87: "InvalidArgument",
        5010: "InvalidArgument",
    }
    return Refused(
        message or WIN32[code],
        f"Windows System Error {code}",
        category or categories.get(code, "NotSpecified"),
        "Microsoft.Management.Infrastructure.CimException",
        class_name,
        code,
    )


def no_cim_object(class_name: str, prop: str, value: Any) -> Refused:
    """The answer to a query by property that finds nothing."""
    message = f"No {class_name} objects found with property '{prop}' equal to '{value}'.  Verify the value of the property and retry."
    exception = "Microsoft.PowerShell.Cmdletization.Cim.CimJobException"
    return Refused(message, f"CmdletizationQuery_NotFound_{prop}", "ObjectNotFound", exception, value, 1168)


def win32(code: int, id: str, exception: str = "System.ComponentModel.Win32Exception") -> Refused:  # noqa: A002
    """A plain Win32 error."""
    category = "PermissionDenied" if code == 5 else "InvalidOperation"
    return Refused(WIN32[code], id, category, exception, None, code)
