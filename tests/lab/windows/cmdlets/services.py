"""Get-Service and what changes services, with the errors of Microsoft.PowerShell.Commands."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from tests.lab.windows.cmdlets.base import has_wildcard, matches, over_machine, record, texts
from tests.lab.windows.machine.refusals import Refused
from tests.lab.windows.machine.services import PENDING
from tests.lab.windows.powershell.commands import Call
from tests.lab.windows.powershell.instances import Raised
from tests.lab.windows.powershell.values import (
    Computed,
    EnumValue,
    ErrorRecord,
    NetException,
    PsObject,
    as_list,
    typed,
)

STATUS = {
    "Stopped": 1,
    "StartPending": 2,
    "StopPending": 3,
    "Running": 4,
    "ContinuePending": 5,
    "PausePending": 6,
    "Paused": 7,
}
START = {"Boot": 0, "System": 1, "Automatic": 2, "Manual": 3, "Disabled": 4}
COMMANDS = "Microsoft.PowerShell.Commands."
EXCEPTION = f"{COMMANDS}ServiceCommandException"
WAIT_S = 30.0
STOP_SAYS_AFTER_S = 2.0


def status_value(name: str) -> EnumValue:
    """A ServiceControllerStatus."""
    return EnumValue("System.ServiceProcess.ServiceControllerStatus", name, STATUS[name])


def _seconds(timeout: Any) -> float:
    """A [timespan], or a text that becomes one; none means for ever."""
    if timeout is None:
        return 1e9
    if isinstance(timeout, timedelta):
        return timeout.total_seconds()
    hours, minutes, seconds = str(timeout).split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def service_object(machine: Any, service: dict[str, Any]) -> PsObject:
    """A System.ServiceProcess.ServiceController; its status is as at the last look (Refresh looks again)."""
    name = service["name"]
    seen = {"status": machine.services.status(name)}

    def refresh() -> None:
        seen["status"] = machine.services.status(name)

    def wait_for(status: Any, timeout: Any = None) -> None:
        limit = _seconds(timeout)
        if not machine.wait(lambda: machine.services.status(name).lower() == str(status).lower(), limit):
            raise Raised(
                "System.ServiceProcess.TimeoutException",
                "Time out has expired and the operation has not been completed.",
            )
        refresh()

    def deed(what: str) -> Any:
        def run() -> None:
            try:
                getattr(machine.services, what)(name)
            except Refused as why:
                message = (
                    f"Cannot start service {name} on computer '.'."
                    if "start" in what
                    else f"Cannot stop {name} service on computer '.'."
                )
                raised = Raised("System.InvalidOperationException", message)
                raised.cause.inner = NetException("System.ComponentModel.Win32Exception", why.message)
                raise raised from why

        return run

    def others(which: str) -> Computed:
        return Computed(lambda: [service_object(machine, one) for one in getattr(machine.services, which)(name)])

    start = "Automatic" if service["start"] == "AutomaticDelayedStart" else service["start"]
    running = Computed(lambda: seen["status"] == "Running")
    items = {
        "Name": name,
        "RequiredServices": others("required"),
        "CanPauseAndContinue": Computed(lambda: service["can_pause"] and seen["status"] == "Running"),
        "CanShutdown": Computed(lambda: seen["status"] == "Running"),
        "CanStop": running,
        "DisplayName": service["display"],
        "DependentServices": others("dependents"),
        "MachineName": ".",
        "ServiceName": name,
        "ServicesDependedOn": others("required"),
        "Status": Computed(lambda: status_value(seen["status"])),
        "ServiceType": service["kind"],
        "StartType": EnumValue("System.ServiceProcess.ServiceStartMode", start, START[start]),
        "Site": None,
        "Container": None,
    }
    made = typed("System.ServiceProcess.ServiceController", items, "System.ComponentModel.Component", text=name)
    made.methods.update(
        Refresh=refresh,
        WaitForStatus=wait_for,
        Start=deed("begin_start"),
        Stop=deed("begin_stop"),
        Close=lambda: None,
        Dispose=lambda: None,
    )
    return made


def _not_found(name: str, *, display: bool) -> ErrorRecord:
    what, error_id = (
        ("display", "NoServiceFoundForGivenDisplayName") if display else ("service", "NoServiceFoundForGivenName")
    )
    return ErrorRecord(
        error_id, f"Cannot find any service with {what} name '{name}'.", "ObjectNotFound", name, EXCEPTION
    )


def chosen(call: Call) -> Iterator[dict[str, Any]]:
    """The services that -Name, -DisplayName or -InputObject name; an error for each name that finds none."""
    everything = [
        one for one in call.machine.services.all() if one["kind"] != "KernelDriver"
    ]  # GetServices() knows no drivers
    if call.has("InputObject"):  # the very services; their names are no patterns
        named = [
            str(one.get("Name") if isinstance(one, PsObject) else one).lower()
            for one in as_list(call.get("InputObject"))
        ]
        yield from [one for one in everything if one["name"].lower() in named]
        return
    if call.has("DisplayName"):
        patterns, key = texts(call.get("DisplayName")), "display"
    else:
        patterns, key = texts(call.get("Name", ["*"])), "name"
    for pattern in patterns:
        found = [one for one in everything if matches(pattern, one[key]) and _included(call, one)]
        if not found and not has_wildcard(pattern):
            call.error(_not_found(pattern, display=key == "display"))
        yield from found


def _included(call: Call, service: dict[str, Any]) -> bool:
    if call.has("Include") and not any(matches(one, service["name"]) for one in texts(call.get("Include"))):
        return False
    return not any(matches(one, service["name"]) for one in texts(call.get("Exclude")))


@over_machine("Get-Service", error_class=f"{COMMANDS}GetServiceCommand")
def get_service(call: Call) -> Iterator[Any]:
    """Services, or those that need them, or those that they need."""
    if call.has("ComputerName") and any(
        one.lower() not in {".", "localhost", call.machine.computer.name.lower()}
        for one in texts(call.get("ComputerName"))
    ):
        call.terminate(
            ErrorRecord(
                "System.InvalidOperationException",
                "Cannot open Service Control Manager on that computer.",
                "NotSpecified",
                None,
                "System.InvalidOperationException",
            )
        )
    for service in chosen(call):
        if call.switch("DependentServices"):
            yield from [service_object(call.machine, one) for one in call.machine.services.dependents(service["name"])]
        elif call.switch("RequiredServices"):
            yield from [service_object(call.machine, one) for one in call.machine.services.required(service["name"])]
        else:
            yield service_object(call.machine, service)


def _shown(service: dict[str, Any]) -> str:
    return f"{service['display']} ({service['name']})"


def _failure(what: str, service: dict[str, Any], call: Call, code: int) -> ErrorRecord:
    """'Cannot open' where the session may not, 'Cannot start' where the service cannot."""
    verb, error_id, category = {
        "start": ("started", "CouldNotStartService", "OpenError"),
        "stop": ("stopped", "CouldNotStopService", "CloseError"),
    }[what]
    inner = (
        f"Cannot open {service['name']} service on computer '.'."
        if code == 5
        else f"Cannot {what} service {service['name']} on computer '.'."
    )
    message = f"Service '{_shown(service)}' cannot be {verb} due to the following error: {inner}"
    return ErrorRecord(error_id, message, category, service_object(call.machine, service), EXCEPTION)


def _may(call: Call) -> bool:
    return bool(call.session.elevated) and call.name.lower() not in call.machine.faults.denied


def start(call: Call, service: dict[str, Any]) -> bool:
    """Start one and wait; an error where it does not come up."""
    services = call.machine.services
    if not _may(call):
        call.error(_failure("start", service, call, 5))
        return False
    if services.status(service["name"]) == "Stopped":
        try:
            services.begin_start(service["name"])
        except Refused as why:
            call.error(_failure("start", service, call, why.code))
            return False
    call.machine.wait(lambda: services.status(service["name"]) != "StartPending", WAIT_S)
    if services.status(service["name"]) != "Running":
        message = f"Failed to start service '{_shown(service)}'."
        call.error(
            ErrorRecord("StartServiceFailed", message, "OpenError", service_object(call.machine, service), EXCEPTION)
        )
        return False
    return True


def stop(call: Call, service: dict[str, Any], *, force: bool, wait: bool = True) -> bool:
    """Stop one (with what needs it when forced) and wait; an error where it may not or does not stop."""
    services, name = call.machine.services, service["name"]
    if not _may(call):
        call.error(_failure("stop", service, call, 5))
        return False
    dependents = services.dependents(name, running=True)
    if dependents and not force:
        message = f"Cannot stop service '{_shown(service)}' because it has dependent services. It can only be stopped if the Force flag is set."
        target = service_object(call.machine, service)
        call.error(ErrorRecord("ServiceHasDependentServices", message, "InvalidOperation", target, EXCEPTION))
        return False
    for one in [*dependents, service]:
        if services.status(one["name"]) == "Stopped":
            continue
        try:
            services.begin_stop(one["name"])
        except Refused as why:
            call.error(_failure("stop", one, call, why.code))
            return False
        if wait or one is not service:
            _wait_stopped(call, one)
    return services.status(name) == "Stopped" or not wait


def _wait_stopped(call: Call, service: dict[str, Any]) -> None:
    """As long as it says that it is stopping, Stop-Service waits and warns; a service that hangs is given up in the lab after a while."""
    services, name = call.machine.services, service["name"]
    end = call.machine.now() + WAIT_S
    while services.status(name) in PENDING:
        if not call.machine.wait(lambda: services.status(name) == "Stopped", STOP_SAYS_AFTER_S):
            call.warning(f"Waiting for service '{_shown(service)}' to stop...")
        if call.machine.now() >= end and services.next_settling(name) is None:
            call.error(_failure("stop", service, call, 1053))
            return


@over_machine("Start-Service", error_class=f"{COMMANDS}StartServiceCommand")
def start_service(call: Call) -> Iterator[Any]:
    """Start services; one that runs already is left alone."""
    for service in chosen(call):
        if call.should_process(_shown(service)) and start(call, service) and call.switch("PassThru"):
            yield service_object(call.machine, service)


@over_machine("Stop-Service", error_class=f"{COMMANDS}StopServiceCommand")
def stop_service(call: Call) -> Iterator[Any]:
    """Stop services; with -Force also those that need them."""
    for service in chosen(call):
        if call.should_process(_shown(service)):
            stopped = stop(call, service, force=call.switch("Force"), wait=not call.switch("NoWait"))
            if stopped and call.switch("PassThru"):
                yield service_object(call.machine, service)


@over_machine("Restart-Service", error_class=f"{COMMANDS}RestartServiceCommand")
def restart_service(call: Call) -> Iterator[Any]:
    """Stop and start; dependents that -Force stopped are started again, as Windows PowerShell does for Restart (not for Stop)."""
    for service in chosen(call):
        if not call.should_process(_shown(service)):
            continue
        dependents = call.machine.services.dependents(service["name"], running=True)
        if stop(call, service, force=call.switch("Force")) and start(call, service):
            for one in reversed(dependents):
                start(call, one)
            if call.switch("PassThru"):
                yield service_object(call.machine, service)


@over_machine("Set-Service", error_class=f"{COMMANDS}SetServiceCommand")
def set_service(call: Call) -> Iterator[Any]:
    """Start type, names, and -Status. Windows PowerShell 5.1 knows no AutomaticDelayedStart here."""
    for service in chosen(call):
        if not call.should_process(_shown(service)):
            continue
        if not _may(call):
            message = f"Service '{_shown(service)}' cannot be configured due to the following error: Access is denied"
            call.error(
                ErrorRecord(
                    "CouldNotSetService", message, "PermissionDenied", service_object(call.machine, service), EXCEPTION
                )
            )
            continue
        changes: dict[str, Any] = {}
        if call.has("StartupType"):
            changes["start"] = _start_type(call, str(call.get("StartupType")))
        if call.has("DisplayName"):
            changes["display"] = str(call.get("DisplayName"))
        if call.has("Description"):
            changes["description"] = str(call.get("Description"))
        call.machine.services.configure(service["name"], **changes)
        if call.has("Status"):
            _to_status(call, service, str(call.get("Status")))
        if call.switch("PassThru"):
            yield service_object(call.machine, service)


def _start_type(call: Call, value: str) -> str:
    if value not in {"Automatic", "Manual", "Disabled"}:
        message = f'Cannot bind parameter \'StartupType\'. Cannot convert value "{value}" to type "System.ServiceProcess.ServiceStartMode".'
        exception = "System.Management.Automation.ParameterBindingException"
        call.terminate(ErrorRecord("CannotConvertArgumentNoMessage", message, "InvalidArgument", None, exception))
    return value


def _to_status(call: Call, service: dict[str, Any], status: str) -> None:
    now = call.machine.services.status(service["name"])
    if status == "Running":
        start(call, service)
    elif status == "Stopped":
        stop(call, service, force=False)
    elif status == "Paused" and now != "Paused":
        try:
            call.machine.services.set_paused(service["name"], paused=True)
        except Refused as why:
            call.error(record(why))


@over_machine("New-Service", error_class=f"{COMMANDS}NewServiceCommand")
def new_service(call: Call) -> Iterator[Any]:
    """Install a service."""
    name = str(call.get("Name"))
    if not call.should_process(f"{call.get('DisplayName', name)} ({name})"):
        return
    kind = _start_type(call, str(call.get("StartupType", "Automatic")))
    if not _may(call) or call.machine.services.find(name):
        why = "The specified service already exists" if call.machine.services.find(name) else "Access is denied"
        message = (
            f"Service '{call.get('DisplayName', name)} ({name})' cannot be created due to the following error: {why}"
        )
        category = "PermissionDenied"  # so for both
        call.error(ErrorRecord("CouldNotNewService", message, category, None, EXCEPTION))
        return
    made = call.machine.services.create(
        name,
        str(call.get("DisplayName", name)),
        str(call.get("BinaryPathName")),
        start=kind,
        requires=texts(call.get("DependsOn")),
        description=str(call.get("Description", "")),
    )
    yield service_object(call.machine, made)


@over_machine("Suspend-Service", "Resume-Service", error_class=f"{COMMANDS}SuspendServiceCommand")
def pause_service(call: Call) -> Iterator[Any]:
    """Pause or continue."""
    for service in chosen(call):
        if call.should_process(_shown(service)):
            call.machine.services.set_paused(service["name"], paused=call.name == "Suspend-Service")
            if call.switch("PassThru"):
                yield service_object(call.machine, service)
