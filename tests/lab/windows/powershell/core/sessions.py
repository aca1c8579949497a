"""Cmdlets about the session itself: variables, modules, commands, dates, waiting, locations."""

from __future__ import annotations

import datetime as dt
import ntpath
import random
import uuid
from collections.abc import Iterator
from typing import Any

from tests.lab.windows.powershell import statics
from tests.lab.windows.powershell.binding import Given
from tests.lab.windows.powershell.commands import CMDLETS, Call, cmdlet
from tests.lab.windows.powershell.convert import to_text
from tests.lab.windows.powershell.format_operator import formatted
from tests.lab.windows.powershell.frames import FunctionValue, ScriptBlock
from tests.lab.windows.powershell.patterns import has_wildcard
from tests.lab.windows.powershell.reading import read_script
from tests.lab.windows.powershell.values import (
    EnumValue,
    ErrorRecord,
    OutsideSubset,
    ReturnFlow,
    typed,
)


@cmdlet("Set-StrictMode")
def set_strict_mode(call: Call) -> None:
    if call.switch("Off"):
        call.frame.scope.strict = 0
        return
    text = to_text(call.get("Version"))
    known = {
        "latest": 5.1,
        "1.0": 1.0,
        "2.0": 2.0,
        "3.0": 3.0,
        "1": 1.0,
        "2": 2.0,
        "3": 3.0,
        "4.0": 4.0,
        "5.0": 5.0,
        "5.1": 5.1,
    }
    if text.casefold() not in known:
        message = f"Cannot validate argument on parameter 'Version'. The \"{text}\" argument does not contain a valid Windows PowerShell version. Supply a valid version number and then try the command again."
        call.terminate(
            ErrorRecord(
                "ParameterArgumentValidationError",
                message,
                "InvalidData",
                None,
                "System.Management.Automation.ParameterBindingValidationException",
            )
        )
    call.frame.scope.strict = known[text.casefold()]


def _scope(call: Call) -> Any:
    wanted = to_text(call.get("Scope", "local")).casefold()
    if wanted == "global":
        return call.shell.global_scope
    if wanted == "script":
        return call.frame.script_scope
    scope = call.frame.scope
    for _ in range(int(wanted) if wanted.isdigit() else 0):
        scope = scope.parent or scope
    return scope


def _no_variable(name: str) -> ErrorRecord:
    message = f"Cannot find a variable with the name '{name}'."
    kind = "System.Management.Automation.ItemNotFoundException"
    return ErrorRecord("VariableNotFound", message, "ObjectNotFound", name, kind)


@cmdlet("Get-Variable")
def get_variable(call: Call) -> Iterator[Any]:
    for name in call.get("Name") or ["*"]:
        if has_wildcard(name):
            raise OutsideSubset("Get-Variable with a pattern lies outside the subset")
        found = _scope(call).variables.get(name.casefold()) if call.has("Scope") else call.frame.scope.find(name)
        if found is None:
            call.error(_no_variable(name))
        elif call.switch("ValueOnly"):
            yield found.value
        else:
            yield typed(
                "System.Management.Automation.PSVariable", {"Name": found.name, "Value": found.value, "Options": "None"}
            )


@cmdlet("Set-Variable", "New-Variable")
def set_variable(call: Call) -> None:
    names = call.get("Name")
    for name in names if isinstance(names, list) else [names]:
        if call.name == "New-Variable" and name.casefold() in _scope(call).variables and not call.switch("Force"):
            message = f"A variable with name '{name}' already exists."
            call.error(
                ErrorRecord(
                    "VariableAlreadyExists",
                    message,
                    "ResourceExists",
                    name,
                    "System.Management.Automation.SessionStateException",
                )
            )
            continue
        made = _scope(call).set(name, call.get("Value"))
        options = to_text(call.get("Option", "")).casefold()
        made.constant = "readonly" in options or "constant" in options


@cmdlet("Remove-Variable")
def remove_variable(call: Call) -> None:
    for name in call.get("Name"):
        if _scope(call).variables.pop(name.casefold(), None) is None:
            call.error(_no_variable(name))


# Time -----------------------------------------------------------------------------


@cmdlet("Get-Date")
def get_date(call: Call) -> Iterator[Any]:
    made = call.get("Date") or statics.now(call.shell)
    parts = {"Year": "year", "Month": "month", "Day": "day", "Hour": "hour", "Minute": "minute", "Second": "second"}
    made = made.replace(**{field: int(call.get(name)) for name, field in parts.items() if call.has(name)})
    if call.has("Millisecond"):
        made = made.replace(microsecond=int(call.get("Millisecond")) * 1000)
    if call.has("Format"):
        name = to_text(call.get("Format"))
        special = {
            "filedate": "yyyyMMdd",
            "filedateuniversal": "yyyyMMddZ",
            "filedatetime": "yyyyMMddTHHmmssffff",
            "filedatetimeuniversal": "yyyyMMddTHHmmssffffZ",
        }
        yield formatted(made, special.get(name.casefold(), name))
    elif call.has("UFormat"):
        text = to_text(call.get("UFormat")).removeprefix("+")
        if "%s" in text:
            text = text.replace("%s", str(made.replace(tzinfo=dt.UTC).timestamp()))
        yield made.strftime(text)
    else:
        yield made


@cmdlet("New-TimeSpan")
def new_time_span(call: Call) -> Iterator[Any]:
    if call.has("Start") or call.has("End") or call.has("Date"):
        now = statics.now(call.shell)
        yield (call.get("End") or now).replace(tzinfo=None) - (call.get("Start") or call.get("Date") or now).replace(
            tzinfo=None
        )
        return
    yield dt.timedelta(
        days=int(call.get("Days", 0)),
        hours=int(call.get("Hours", 0)),
        minutes=int(call.get("Minutes", 0)),
        seconds=int(call.get("Seconds", 0)),
    )


@cmdlet("Start-Sleep")
def start_sleep(call: Call) -> None:
    call.shell.sleep(
        float(call.get("Milliseconds")) / 1000 if call.has("Milliseconds") else float(call.get("Seconds", 0))
    )


@cmdlet("Get-Random", whole=True)
def get_random(call: Call) -> Iterator[Any]:
    if call.has_input or call.has("InputObject"):
        items = list(call.input) if call.has_input else list(call.get("InputObject"))
        yield from random.sample(items, min(int(call.get("Count", 1)), len(items)))
        return
    low, high = call.get("Minimum", 0), call.get("Maximum", 2**31 - 1)
    yield (
        random.uniform(low, high)
        if isinstance(low, float) or isinstance(high, float)
        else random.randrange(int(low), int(high))
    )


@cmdlet("New-Guid")
def new_guid(call: Call) -> Iterator[Any]:
    yield uuid.uuid4()


# Commands and modules -----------------------------------------------------------------


@cmdlet("Get-Host")
def get_host(call: Call) -> Iterator[Any]:
    yield call.shell.global_scope.find("Host").value


@cmdlet("Get-Culture", "Get-UICulture")
def get_culture(call: Call) -> Iterator[Any]:
    yield typed(
        "System.Globalization.CultureInfo",
        {"LCID": 1033, "Name": "en-US", "DisplayName": "English (United States)"},
        text="en-US",
    )


POLICIES = {"Unrestricted": 0, "RemoteSigned": 1, "AllSigned": 2, "Restricted": 3, "Bypass": 4, "Undefined": 5}
SCOPES = {"MachinePolicy": 4, "UserPolicy": 3, "Process": 0, "CurrentUser": 1, "LocalMachine": 2}
GROUP_POLICY = r"SOFTWARE\Policies\Microsoft\Windows\PowerShell"
SHELL_ID = r"SOFTWARE\Microsoft\PowerShell\1\ShellIds\Microsoft.PowerShell"


def _policy(name: str) -> EnumValue:
    return EnumValue("Microsoft.PowerShell.ExecutionPolicy", name, POLICIES.get(name, 1))


def _policies(call: Call) -> dict[str, str]:
    """Of each scope, in the order in which they count: what is not set is Undefined."""
    value = call.machine.registry.value if hasattr(call.machine, "registry") else lambda *_: None
    enabled = value(GROUP_POLICY, "EnableScripts", None)
    group = (
        "Undefined"
        if enabled is None
        else str(value(GROUP_POLICY, "ExecutionPolicy", "Restricted"))
        if int(enabled)
        else "Restricted"
    )
    return {
        "MachinePolicy": group,
        "UserPolicy": "Undefined",
        "Process": call.shell.state.get("execution_policy", "Undefined"),
        "CurrentUser": "Undefined",
        "LocalMachine": str(value(SHELL_ID, "ExecutionPolicy", None) or "Undefined"),
    }


@cmdlet("Get-ExecutionPolicy")
def get_execution_policy(call: Call) -> Iterator[Any]:
    held = _policies(call)
    if call.switch("List"):
        for scope, policy in held.items():
            name = EnumValue("Microsoft.PowerShell.ExecutionPolicyScope", scope, SCOPES[scope])
            yield typed(
                "Microsoft.PowerShell.ExecutionPolicyScope", {"Scope": name, "ExecutionPolicy": _policy(policy)}
            )
        return
    if call.has("Scope"):
        yield _policy(held[next(one for one in SCOPES if one.casefold() == to_text(call.get("Scope")).casefold())])
        return
    yield _policy(call.shell.state.get("execution_policy", call.session.execution_policy))


@cmdlet("Set-ExecutionPolicy")
def set_execution_policy(call: Call) -> None:
    if to_text(call.get("Scope", "LocalMachine")).casefold() != "process":
        raise OutsideSubset("Set-ExecutionPolicy beyond -Scope Process lies outside the subset")
    if call.should_process(to_text(call.get("ExecutionPolicy")), "Set-ExecutionPolicy"):
        call.shell.state["execution_policy"] = to_text(call.get("ExecutionPolicy"))


@cmdlet("Invoke-Expression")
def invoke_expression(call: Call) -> Iterator[Any]:
    code = read_script(to_text(call.get("Command")))
    try:
        yield from call.shell.statements(code.end, call.frame)
    except ReturnFlow:
        return


@cmdlet("Invoke-Command", whole=True)
def invoke_command(call: Call) -> Iterator[Any]:
    if not call.has("ScriptBlock") or any(
        call.has(name) for name in ("ComputerName", "Session", "ConnectionUri", "VMName", "ContainerId")
    ):
        target = to_text(call.get("ComputerName")) or "localhost"
        message = f"[{target}] Connecting to remote server {target} failed with the following error message : Access is denied. For more information, see the about_Remote_Troubleshooting Help topic."
        record = ErrorRecord(
            "AccessDenied,PSSessionStateBroken",
            message,
            "OpenError",
            target,
            "System.Management.Automation.Remoting.PSRemotingTransportException",
        )
        record.qualified = record.error_id
        call.error(record)
        return
    block = call.get("ScriptBlock")
    from tests.lab.windows.powershell import tree as t

    node = t.Command(call.at, "" if call.switch("NoNewScope") else "&", t.Const(call.at, ""), [], [])
    node.operator = "." if call.switch("NoNewScope") else "&"
    given = [Given(None, one) for one in call.get("ArgumentList") or []]
    yield from call.shell.call_block(block, given, call.frame, call.input if call.has_input else None, node)


@cmdlet("Read-Host")
def read_host(call: Call) -> None:
    from tests.lab.windows.powershell.evaluate import not_interactive

    call.terminate(not_interactive())


@cmdlet("Measure-Command", whole=True)
def measure_command(call: Call) -> Iterator[Any]:
    import time

    start = time.monotonic()
    for _ in call.invoke(call.get("Expression")):
        pass
    yield dt.timedelta(seconds=time.monotonic() - start)


# Paths that need no drive -----------------------------------------------------------


@cmdlet("Join-Path")
def join_path(call: Call) -> Iterator[Any]:
    for path in call.get("Path"):
        child = to_text(call.get("ChildPath")).replace("/", "\\")
        whole = path.replace("/", "\\")
        yield whole.rstrip("\\") + "\\" + child.lstrip("\\") if whole else child


@cmdlet("Split-Path")
def split_path(call: Call) -> Iterator[Any]:
    for given in call.get("Path") or call.get("LiteralPath"):
        path = to_text(given).replace("/", "\\")
        path = path.rstrip("\\") if len(path) > 3 else path
        if call.switch("Leaf"):
            yield ntpath.basename(path) or path
        elif call.switch("Qualifier"):
            if not ntpath.splitdrive(path)[0]:
                call.error(
                    ErrorRecord(
                        "ParsePathFormatError",
                        f"Cannot parse path because path '{path}' does not have a qualifier specified.",
                        "InvalidArgument",
                        path,
                        "System.FormatException",
                    )
                )
                continue
            yield ntpath.splitdrive(path)[0]
        elif call.switch("NoQualifier"):
            yield ntpath.splitdrive(path)[1]
        elif call.switch("IsAbsolute"):
            yield bool(ntpath.splitdrive(path)[0])
        else:
            head = ntpath.dirname(path)
            yield "" if head == path else head


@cmdlet("Get-Verb")
def get_verb(call: Call) -> None:
    raise OutsideSubset("Get-Verb lies outside the subset")


def is_function(value: Any) -> bool:
    """Whether a value is something that can be called."""
    return isinstance(value, FunctionValue | ScriptBlock) or to_text(value).casefold() in CMDLETS


__all__ = ["is_function"]
