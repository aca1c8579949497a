"""sc.exe and net.exe: services, shares, as command lines."""

from __future__ import annotations

from tests.lab.windows.cmdlets.programs import denied
from tests.lab.windows.machine import descriptors
from tests.lab.windows.machine.refusals import WIN32, Refused
from tests.lab.windows.powershell.commands import Done, ProgramCall, program

NUMBERS = {
    "Stopped": (1, "STOPPED"),
    "StartPending": (2, "START_PENDING"),
    "StopPending": (3, "STOP_PENDING"),
    "Running": (4, "RUNNING"),
    "Paused": (7, "PAUSED"),
}
STARTS = {"auto": "Automatic", "demand": "Manual", "disabled": "Disabled", "delayed-auto": "AutomaticDelayedStart"}
SHOWN = {
    "Automatic": "2   AUTO_START",
    "AutomaticDelayedStart": "2   AUTO_START  (DELAYED)",
    "Manual": "3   DEMAND_START",
    "Disabled": "4   DISABLED",
}
WAIT_S = 30.0


def _failed(what: str, code: int) -> Done:
    return Done(code, f"[SC] {what} FAILED {code}:\r\n\r\n{WIN32.get(code, '')}\r\n\r\n")


@program("sc.exe")
def sc(call: ProgramCall) -> Done:  # noqa: PLR0911 - a return for each ending of the program
    """query, qc, start, stop, config."""
    argv = call.argv[1:] if call.argv and call.argv[0].startswith("\\\\") else call.argv
    if len(argv) < 2:
        return Done(
            1639,
            "DESCRIPTION:\r\n        SC is a command line program used for communicating with the\r\n        Service Control Manager and services.\r\n",
        )
    verb, name, services = argv[0].lower(), argv[1], call.machine.services
    if verb in {"start", "stop", "config"} and denied(call, "sc"):
        return _failed("OpenService", 5)
    if services.find(name) is None:
        return _failed("EnumQueryServicesStatus:OpenService" if verb.startswith("query") else "OpenService", 1060)
    try:
        if verb == "start":
            services.begin_start(name)
        elif verb == "stop":
            services.begin_stop(name)
        elif verb == "config":
            return _config(call, name, argv[2:])
        elif verb == "qc":
            return _qc(call, name)
        elif verb not in {"query", "queryex"}:
            return Done(1639, "*** Unrecognized Command ***\r\n")
    except Refused as why:
        return _failed("ControlService" if verb == "stop" else "StartService", why.code)
    service, state = services.get(name), services.state(name)
    number, text = NUMBERS[state.status]
    lines = [
        "",
        f"SERVICE_NAME: {service['name']} ",
        "        TYPE               : 20  WIN32_SHARE_PROCESS  ",
        f"        STATE              : {number}  {text} ",
    ]
    lines += [
        f"        WIN32_EXIT_CODE    : {state.exit_code}  (0x{state.exit_code:x})",
        "        SERVICE_EXIT_CODE  : 0  (0x0)",
        "        CHECKPOINT         : 0x0",
        "        WAIT_HINT          : 0x0",
    ]
    lines += [f"        PID                : {state.pid}"] if verb == "queryex" else []
    return Done(0, "\r\n".join([*lines, ""]))


def _config(call: ProgramCall, name: str, options: tuple[str, ...]) -> Done:
    given = dict(zip([one.lower() for one in options[::2]], options[1::2], strict=False))
    if len(options) % 2 or any(not one.endswith("=") for one in given) or given.get("start=", "auto") not in STARTS:
        return Done(1639, "DESCRIPTION:\r\n        Modifies a service entry in the registry and Service Database.\r\n")
    changes: dict[str, object] = {}
    if "start=" in given:
        changes["start"] = STARTS[given["start="]]
    if "depend=" in given:
        changes["requires"] = [one for one in given["depend="].split("/") if one]
    if "displayname=" in given:
        changes["display"] = given["displayname="]
    call.machine.services.configure(name, **changes)
    return Done(0, "[SC] ChangeServiceConfig SUCCESS\r\n")


def _qc(call: ProgramCall, name: str) -> Done:
    service = call.machine.services.get(name)
    needs = "\r\n                           : ".join(service["requires"])
    lines = [
        "[SC] QueryServiceConfig SUCCESS",
        "",
        f"SERVICE_NAME: {service['name']}",
        f"        START_TYPE         : {SHOWN[service['start']]}",
        f"        BINARY_PATH_NAME   : {service['path']}",
    ]
    lines += [
        f"        DISPLAY_NAME       : {service['display']}",
        f"        DEPENDENCIES       : {needs}",
        f"        SERVICE_START_NAME : {service['account']}",
    ]
    return Done(0, "\r\n".join([*lines, ""]))


def _net_failed(code: int, text: str) -> Done:
    return Done(2, "", f"{text}\r\n\r\nMore help is available by typing NET HELPMSG {code}.\r\n\r\n")


@program("net.exe", "net1.exe")
def net(call: ProgramCall) -> Done:
    """start, stop, share."""
    if not call.argv:
        return Done(
            1,
            "",
            "The syntax of this command is:\r\n\r\nNET\r\n    [ ACCOUNTS | COMPUTER | CONFIG | ... | START | STOP | USE | VIEW ]\r\n",
        )
    verb = call.argv[0].lower()
    if verb in {"start", "stop"} and len(call.argv) > 1:
        return _net_service(call, verb, call.argv[1])
    if verb == "start":
        running = [
            one["display"]
            for one in call.machine.services.all()
            if call.machine.services.is_running(one["name"]) and one["kind"] != "KernelDriver"
        ]
        return Done(
            0,
            "These Windows services are started:\r\n\r\n"
            + "".join(f"   {one}\r\n" for one in running)
            + "\r\nThe command completed successfully.\r\n\r\n",
        )
    if verb == "share":
        return _net_share(call, call.argv[1:])
    return _net_failed(3500, f"The command line was not understood: {verb}")  # not simulated


def _net_service(call: ProgramCall, verb: str, name: str) -> Done:  # noqa: PLR0911 - a return for each ending of the program
    services = call.machine.services
    found = services.find(name) or next((one for one in services.all() if one["display"].lower() == name.lower()), None)
    if found is None:
        return _net_failed(2185, "The service name is invalid.")
    if denied(call, "net"):
        return Done(2, "", "System error 5 has occurred.\r\n\r\nAccess is denied.\r\n\r\n")
    own, display = found["name"], found["display"]
    try:
        if verb == "start":
            services.begin_start(own)
        else:
            if "/y" in [one.lower() for one in call.argv]:
                for one in services.dependents(own, running=True):
                    services.begin_stop(one["name"])
            services.begin_stop(own)
    except Refused as why:
        if why.code == 1056:
            return _net_failed(2182, "The requested service has already been started.")
        if why.code == 1062:
            return _net_failed(3521, f"The {display} service is not started.")
        return Done(2, "", f"System error {why.code} has occurred.\r\n\r\n{why.message}\r\n\r\n")
    wanted = "Running" if verb == "start" else "Stopped"
    call.machine.wait(lambda: services.status(own) in {"Running", "Stopped"}, WAIT_S)
    if services.status(own) != wanted:
        return _net_failed(
            3523 if verb == "start" else 3522,
            f"The {display} service could not be {verb}{'ed' if verb == 'start' else 'ped'}.",
        )
    done = "started" if verb == "start" else "stopped"
    return Done(
        0,
        f"The {display} service is {'starting' if verb == 'start' else 'stopping'}.\r\nThe {display} service was {done} successfully.\r\n\r\n",
    )


def _net_share(call: ProgramCall, argv: tuple[str, ...]) -> Done:  # noqa: PLR0911 - a return for each ending of the program
    shares = call.machine.shares
    try:
        if not argv:
            rows = "".join(f"{one['name']:<13}{one['path']:<32}{one['description']}\r\n" for one in shares.all())
            return Done(
                0,
                f"\r\nShare name   Resource                        Remark\r\n\r\n{'-' * 79}\r\n{rows}The command completed successfully.\r\n\r\n",
            )
        name, _, path = argv[0].partition("=")
        if path:
            if denied(call, "net"):
                return Done(2, "", "System error 5 has occurred.\r\n\r\nAccess is denied.\r\n\r\n")
            shares.create(name, path, descriptors.parse("O:SYG:SYD:(A;;0x1200a9;;;WD)"))
            return Done(0, f"{name} was shared successfully.\r\n\r\n")
        if "/delete" in [one.lower() for one in argv]:
            if denied(call, "net"):
                return Done(2, "", "System error 5 has occurred.\r\n\r\nAccess is denied.\r\n\r\n")
            shares.remove(name)
            return Done(0, f"{name} was deleted successfully.\r\n\r\n")
        share = shares.get(name)
        return Done(
            0,
            f"Share name        {share['name']}\r\nPath              {share['path']}\r\nRemark            {share['description']}\r\n",
        )
    except Refused as why:
        code = 2310 if why.code == 1168 else why.code
        return _net_failed(code, WIN32.get(code, why.message))
