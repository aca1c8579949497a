"""Scheduled tasks: their parts are made by New-ScheduledTask..., registered, started, asked, removed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.lab.windows.cmdlets.base import (
    as_list,
    cim,
    cim_denied,
    enum,
    has_wildcard,
    moment,
    over_machine,
    record,
    wanted,
)
from tests.lab.windows.machine.refusals import Refused
from tests.lab.windows.machine.tasks import no_such_task, task_error
from tests.lab.windows.powershell.commands import Call
from tests.lab.windows.powershell.values import PsObject, UInt32

NAMESPACE = "Root/Microsoft/Windows/TaskScheduler"
CLASS = "PS_ScheduledTask:Root/Microsoft/...S_ScheduledTask"
STATES = {"Unknown": 0, "Disabled": 1, "Queued": 2, "Ready": 3, "Running": 4}
TYPES = "Microsoft.PowerShell.Cmdletization.GeneratedTypes.ScheduledTask."


def _span(value: timedelta | None) -> str | None:
    """A span as the task scheduler writes it (PT5M)."""
    if value is None:
        return None
    seconds = int(value.total_seconds())
    days, seconds = divmod(seconds, 86400)
    hours, seconds = divmod(seconds, 3600)
    minutes, seconds = divmod(seconds, 60)
    time = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "") + (f"{seconds}S" if seconds else "")
    return "P" + (f"{days}D" if days else "") + (f"T{time}" if time or not days else "")


def _hidden(made: PsObject, data: dict[str, Any]) -> PsObject:
    """Keep what the model needs with the object."""
    made.set("__model", data)
    return made


@over_machine("New-ScheduledTaskAction")
def new_action(call: Call) -> Iterator[Any]:
    """What is run."""
    data = {
        "execute": str(call.get("Execute")),
        "arguments": call.get("Argument"),
        "directory": call.get("WorkingDirectory"),
    }
    items = {
        "Id": call.get("Id"),
        "Arguments": data["arguments"],
        "Execute": data["execute"],
        "WorkingDirectory": data["directory"],
    }
    yield _hidden(cim("MSFT_TaskExecAction", items, NAMESPACE), data)


@over_machine("New-ScheduledTaskTrigger")
def new_trigger(call: Call) -> Iterator[Any]:
    """When it is run."""
    kind = next(
        (
            name.removeprefix("At").lower()
            for name in ("AtStartup", "AtLogOn", "Once", "Daily", "Weekly")
            if call.switch(name)
        ),
        "once",
    )
    kind = {"startup": "boot"}.get(kind, kind)
    data: dict[str, Any] = {"kind": kind}
    for name, key in (
        ("RepetitionInterval", "interval_s"),
        ("RepetitionDuration", "duration_s"),
        ("RandomDelay", "delay_s"),
    ):
        if call.get(name) is not None:
            data[key] = call.get(name).total_seconds()
    if call.has("At"):
        at: datetime = call.get("At")
        data["at"] = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    if call.has("DaysInterval"):
        data["days"] = int(call.get("DaysInterval"))
    repetition = cim(
        "MSFT_TaskRepetitionPattern",
        {
            "Duration": _span(call.get("RepetitionDuration")),
            "Interval": _span(call.get("RepetitionInterval")),
            "StopAtDurationEnd": None,
        },
        NAMESPACE,
    )
    items = {
        "Enabled": True,
        "StartBoundary": call.get("At").isoformat() if call.has("At") else None,
        "Delay": None,
        "Repetition": repetition,
        "Id": None,
    }
    names = {
        "boot": "MSFT_TaskBootTrigger",
        "logon": "MSFT_TaskLogonTrigger",
        "daily": "MSFT_TaskDailyTrigger",
        "weekly": "MSFT_TaskWeeklyTrigger",
    }
    yield _hidden(cim(names.get(kind, "MSFT_TaskTimeTrigger"), items, NAMESPACE), data)


@over_machine("New-ScheduledTaskPrincipal")
def new_principal(call: Call) -> Iterator[Any]:
    """As whom."""
    data = {
        "user": call.get("UserId"),
        "group": call.get("GroupId"),
        "logon": str(call.get("LogonType", "None")),
        "run_level": str(call.get("RunLevel", "Limited")),
    }
    items = {
        "Id": call.get("Id", "Author"),
        "UserId": data["user"],
        "GroupId": data["group"],
        "LogonType": data["logon"],
        "RunLevel": data["run_level"],
    }
    yield _hidden(cim("MSFT_TaskPrincipal2", items, NAMESPACE), data)


@over_machine("New-ScheduledTaskSettingsSet")
def new_settings(call: Call) -> Iterator[Any]:
    """Under what conditions."""
    data = {
        "restart_count": int(call.get("RestartCount", 0)),
        "restart_interval_s": call.get("RestartInterval").total_seconds() if call.has("RestartInterval") else 0,
        "start_when_available": call.switch("StartWhenAvailable"),
        "multiple": str(call.get("MultipleInstances", "IgnoreNew")),
        "limit_s": call.get("ExecutionTimeLimit").total_seconds() if call.has("ExecutionTimeLimit") else 259200,
        "disallow_start": call.switch("DisallowDemandStart"),
    }
    if not 0 <= int(call.get("Priority", 7)) <= 10:
        message = f"Cannot validate argument on parameter 'Priority'. The {call.get('Priority')} argument is not in the range of 0 to 10."
        raise Refused(message, "ParameterArgumentValidationError", "InvalidData", "System.ArgumentException")
    items = {
        "AllowDemandStart": not data["disallow_start"],
        "Enabled": not call.switch("Disable"),
        "ExecutionTimeLimit": _span(call.get("ExecutionTimeLimit", timedelta(days=3))),
        "MultipleInstances": data["multiple"],
        "RestartCount": data["restart_count"],
        "RestartInterval": _span(call.get("RestartInterval")),
        "StartWhenAvailable": data["start_when_available"],
        "Hidden": call.switch("Hidden"),
        "Priority": int(call.get("Priority", 7)),
    }
    yield _hidden(cim("MSFT_TaskSettings3", items, NAMESPACE), data)


def _model(value: Any) -> Any:
    return value.get("__model") if isinstance(value, PsObject) else None


def _definition(call: Call) -> dict[str, Any]:
    triggers = [_model(one) for one in as_list(call.get("Trigger"))]
    principal = _model(call.get("Principal")) or {
        "user": call.get("User"),
        "run_level": str(call.get("RunLevel", "Limited")),
        "logon": "Interactive",
    }
    if principal["user"] is None:
        principal = principal | {"user": call.session.user}
    settings = call.get("Settings")
    return {
        "actions": [_model(one) for one in as_list(call.get("Action"))],
        "triggers": triggers,
        "principal": principal,
        "settings": _model(settings) or {},
        "enabled": bool(settings.get("Enabled")) if settings else True,
        "description": str(call.get("Description", "")),
    }


@over_machine("New-ScheduledTask")
def new_task(call: Call) -> Iterator[Any]:
    """A task that is not registered yet."""
    data = _definition(call)
    items = {
        "Actions": as_list(call.get("Action")),
        "Triggers": as_list(call.get("Trigger")),
        "Principal": call.get("Principal"),
        "Settings": call.get("Settings"),
        "Description": data["description"],
    }
    yield _hidden(cim("MSFT_ScheduledTask", items, NAMESPACE), data)


def task_object(call: Call, task: dict[str, Any]) -> PsObject:
    """A MSFT_ScheduledTask."""
    actions = [
        cim(
            "MSFT_TaskExecAction",
            {"Execute": one["execute"], "Arguments": one.get("arguments"), "WorkingDirectory": one.get("directory")},
            NAMESPACE,
        )
        for one in task["actions"]
    ]
    principal = cim(
        "MSFT_TaskPrincipal2",
        {
            "UserId": task["principal"].get("user"),
            "RunLevel": task["principal"].get("run_level"),
            "LogonType": task["principal"].get("logon"),
        },
        NAMESPACE,
    )
    items = {
        "State": enum(f"{TYPES}StateEnum", call.machine.tasks.state(task), STATES),
        "Actions": actions,
        "Author": None,
        "Date": None,
        "Description": task["description"],
        "Principal": principal,
        "Settings": cim("MSFT_TaskSettings3", {"Enabled": task["enabled"]}, NAMESPACE),
        "TaskName": task["name"],
        "TaskPath": task["path"],
        "Triggers": [
            cim("MSFT_TaskTrigger", {"Enabled": True, "Kind": one["kind"]}, NAMESPACE) for one in task["triggers"]
        ],
        "URI": task["path"] + task["name"],
    }
    return cim("MSFT_ScheduledTask", items, NAMESPACE)


@over_machine("Register-ScheduledTask", denied=cim_denied(CLASS))
def register_task(call: Call) -> Iterator[Any]:
    """Add a task; as SYSTEM, or at startup, only an administrator."""
    data = _model(call.get("InputObject")) or _definition(call)
    if call.has("User"):
        data["principal"] = data["principal"] | {"user": str(call.get("User"))}
    name = str(call.get("TaskName"))
    if call.has("Xml"):
        raise task_error("Not simulated: -Xml.", "0x80004001", "NotImplemented")
    user = str(data["principal"].get("user") or data["principal"].get("group") or "")
    mine = user.lower().rpartition("\\")[2] == call.session.user.lower().rpartition("\\")[2]
    if not call.session.elevated and (not mine or any(one["kind"] == "boot" for one in data["triggers"])):
        raise task_error("Access is denied.", "0x80070005", "PermissionDenied", 5)
    needs_password = str(data["principal"].get("logon")) == "Password" and not call.has("Password")
    if needs_password:
        raise task_error("The user name or password is incorrect.", "0x8007052e", "AuthenticationError", 1326)
    if "\\" in name.strip("\\") and not call.has("TaskPath"):
        path, _, name = ("\\" + name.strip("\\")).rpartition("\\")
    else:
        path = str(call.get("TaskPath", "\\"))
    made = call.machine.tasks.register(path, name, force=call.switch("Force"), **data)
    yield task_object(call, made)


def chosen(call: Call) -> Iterator[dict[str, Any]]:
    """The tasks that -TaskName, -TaskPath or -InputObject name; an error for a name without one."""
    tasks = call.machine.tasks
    if call.has("InputObject"):
        for one in as_list(call.get("InputObject")):
            found = tasks.find(str(one.get("TaskName")), str(one.get("TaskPath")))
            if found is None:
                call.error(
                    record(task_error("The system cannot find the file specified.", "0x80070002", "ObjectNotFound", 2))
                )
            else:
                yield found
        return
    single = call.name not in {"Get-ScheduledTask", "Unregister-ScheduledTask"}
    found_tasks = []
    for task in tasks.all():
        in_folder = (
            not call.has("TaskPath")
            or wanted(call, "TaskPath", task["path"])
            or wanted(call, "TaskPath", task["path"].rstrip("\\"))
        )
        if wanted(call, "TaskName", task["name"]) and in_folder:
            found_tasks.append(task)
    for name in as_list(call.get("TaskName")):
        if not has_wildcard(name) and not any(one["name"].lower() == str(name).lower() for one in found_tasks):
            missing = (
                task_error("The system cannot find the file specified.", "0x80070002", "ObjectNotFound", 2)
                if single
                else no_such_task(str(name))
            )
            call.error(record(missing))
    yield from found_tasks


@over_machine("Get-ScheduledTask")
def get_task(call: Call) -> Iterator[Any]:
    """The tasks."""
    for task in chosen(call):
        yield task_object(call, task)


@over_machine("Get-ScheduledTaskInfo")
def get_task_info(call: Call) -> Iterator[Any]:
    """How the last run ended and when the next is."""
    for task in chosen(call):
        items = {
            "LastRunTime": moment(task["last_run"]),
            "LastTaskResult": UInt32(task["result"]),
            "NextRunTime": moment(call.machine.tasks.next_run(task)),
            "NumberOfMissedRuns": UInt32(task["missed"]),
            "TaskName": task["name"],
            "TaskPath": task["path"],
        }
        yield cim("MSFT_TaskDynamicInfo", items, NAMESPACE)


@over_machine("Start-ScheduledTask", changes=True, denied=cim_denied(CLASS))
def start_task(call: Call) -> None:
    """Run tasks now."""
    for task in list(chosen(call)):
        if task["settings"].get("disallow_start"):
            raise task_error("The task does not allow to be started on demand.", "0x80041327")  # number not confirmed
        call.machine.tasks.start(task)


@over_machine("Stop-ScheduledTask", changes=True, denied=cim_denied(CLASS))
def stop_task(call: Call) -> None:
    """End their runs."""
    for task in list(chosen(call)):
        call.machine.tasks.stop(task)


@over_machine("Enable-ScheduledTask", "Disable-ScheduledTask", changes=True, denied=cim_denied(CLASS))
def switch_task(call: Call) -> Iterator[Any]:
    """Switch tasks on or off."""
    for task in list(chosen(call)):
        call.machine.tasks.change(task, enabled=call.name.startswith("Enable"))
        yield task_object(call, task)


@over_machine("Set-ScheduledTask", changes=True, denied=cim_denied(CLASS))
def set_task(call: Call) -> Iterator[Any]:
    """Change tasks."""
    for task in list(chosen(call)):
        changes = {}
        for name, key in (("Action", "actions"), ("Trigger", "triggers")):
            if call.has(name):
                changes[key] = [_model(one) for one in as_list(call.get(name))]
        for name, key in (("Principal", "principal"), ("Settings", "settings")):
            if call.has(name):
                changes[key] = _model(call.get(name))
        call.machine.tasks.change(task, **changes)
        yield task_object(call, task)


@over_machine("Unregister-ScheduledTask", denied=cim_denied(CLASS), impact="High")
def unregister_task(call: Call) -> Iterator[Any]:
    """Remove tasks."""
    for task in list(chosen(call)):
        mine = str(task["principal"].get("user")).lower() == call.session.user.lower()
        if not call.session.elevated and not mine:
            raise task_error("Access is denied.", "0x80070005", "PermissionDenied", 5)
        if call.should_process(task["path"] + task["name"], "Unregister"):
            made = task_object(call, task)
            call.machine.tasks.unregister(task)
            if call.switch("PassThru"):
                yield made
