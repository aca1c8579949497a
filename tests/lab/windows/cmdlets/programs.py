"""Small native programs: hostname, whoami, ipconfig, w32tm, shutdown, reg, icacls."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.lab.windows.cmdlets.places import HIVE
from tests.lab.windows.machine.refusals import WIN32, Refused
from tests.lab.windows.machine.registry import KINDS, converted
from tests.lab.windows.powershell.commands import Done, ProgramCall, program

REG_TYPES = {
    "REG_SZ": "String",
    "REG_EXPAND_SZ": "ExpandString",
    "REG_DWORD": "DWord",
    "REG_QWORD": "QWord",
    "REG_MULTI_SZ": "MultiString",
    "REG_BINARY": "Binary",
}


def denied(call: ProgramCall, name: str) -> bool:
    """Whether the session may not, or a fault says no."""
    return not call.session.elevated or name in call.machine.faults.denied


@program("hostname.exe")
def hostname(call: ProgramCall) -> Done:
    """The computer's name."""
    return Done(0, f"{call.machine.computer.name}\r\n")


@program("whoami.exe")
def whoami(call: ProgramCall) -> Done:
    """Who runs this."""
    switches = [one.lower() for one in call.argv]
    if "/upn" in switches:
        domain = call.machine.computer.data["domain"]
        if not domain or "\\" not in call.session.user:
            return Done(
                1,
                "",
                "ERROR: Unable to get User Principal Name (UPN) as the current logged-on user is not a domain user.\r\n",
            )
        return Done(0, f"{call.session.user.rpartition(chr(92))[2].lower()}@{domain}\r\n")
    if "/groups" in switches:
        level = "High" if call.session.elevated else "Medium"
        number = 12288 if call.session.elevated else 8192
        admin = "Enabled group, Group owner" if call.session.elevated else "Group used for deny only"
        rows = f"BUILTIN\\Administrators Alias S-1-5-32-544 {admin}\r\nMandatory Label\\{level} Mandatory Level Label S-1-16-{number}\r\n"
        return Done(0, rows)
    return Done(0, f"{call.session.user.lower()}\r\n")


@program("ipconfig.exe")
def ipconfig(call: ProgramCall) -> Done:
    """Addresses; /registerdns and /flushdns."""
    switch = call.argv[0].lower() if call.argv else ""
    if switch in {"/registerdns", "/flushdns"}:
        if denied(call, "ipconfig"):
            return Done(1, "The requested operation requires elevation.\r\n")
        if switch == "/registerdns" and call.machine.hooks.register_names:
            call.machine.hooks.register_names(call.machine)
        return Done(
            0,
            "\r\nWindows IP Configuration\r\n\r\n"
            + ("Successfully flushed the DNS Resolver Cache.\r\n" if switch == "/flushdns" else ""),
        )
    lines = ["", "Windows IP Configuration", ""]
    for card in call.machine.network.data["adapters"]:
        lines += [f"Ethernet adapter {card['name']}:", ""]
        lines += [
            f"   IPv4 Address. . . . . . . . . . . : {one['address']}"
            for one in call.machine.network.addresses(card["name"])
        ]
    return Done(0, "\r\n".join([*lines, ""]))


@program("w32tm.exe")
def w32tm(call: ProgramCall) -> Done:
    """Whether time is kept; /query and /resync."""
    running = call.machine.services.is_running("W32Time")
    if not running:
        return Done(1, "The following error occurred: The service has not been started. (0x80070426)\r\n")
    if call.argv[:1] == ("/resync",):
        if denied(call, "w32tm"):
            return Done(1, "The following error occurred: Access is denied. (0x80070005)\r\n")
        call.machine.computer.set_clock_offset(0.0)
        return Done(0, "Sending resync command to local computer\r\nThe command completed successfully.\r\n")
    if call.argv[:2] == ("/query", "/source"):
        return Done(
            0,
            f"{'dc1.' + call.machine.computer.data['domain'] if call.machine.computer.data['domain'] else 'Local CMOS Clock'} \r\n",
        )
    if call.argv[:2] == ("/query", "/status"):
        offset = call.machine.computer.clock_offset_s
        return Done(0, f"Leap Indicator: 0(no warning)\r\nStratum: 3\r\nPhase Offset: {offset:.7f}s\r\n")
    return Done(1, "The parameter is incorrect. (0x80070057)\r\n")


@program("shutdown.exe")
def shutdown(call: ProgramCall) -> Done:
    """/r and /s."""
    switches = [one.lower() for one in call.argv]
    if denied(call, "shutdown"):
        return Done(5, "", "Access is denied.(5)\r\n")
    if "/r" in switches:
        call.machine.restart()
    elif "/s" in switches:
        call.machine.power_cut()
    else:
        return Done(1, "Usage: shutdown [/i | /l | /s | /sg | /r | /g | /a | /p | /h | /e | /o]\r\n")
    return Done()


def _key(text: str) -> str | None:
    short = text.replace("HKLM\\", "HKLM:\\", 1) if text.upper().startswith("HKLM\\") else text
    found = HIVE.match(short)
    return (found[1] or "").strip("\\") if found else None


def _option(argv: tuple[str, ...], name: str) -> str | None:
    lowered = [one.lower() for one in argv]
    at = lowered.index(name) if name in lowered else -1
    return argv[at + 1] if 0 <= at < len(argv) - 1 else None


@program("reg.exe")
def reg(call: ProgramCall) -> Done:  # noqa: PLR0911 - a return for each ending of the program
    """Query, add, delete."""
    if len(call.argv) < 2 or (key := _key(call.argv[1])) is None:
        return Done(1, "", 'ERROR: Invalid syntax.\r\nType "REG /?" for usage.\r\n')
    verb, registry = call.argv[0].lower(), call.machine.registry
    name = "" if "/ve" in [one.lower() for one in call.argv] else _option(call.argv, "/v")
    missing = Done(1, "", "ERROR: The system was unable to find the specified registry key or value.\r\n")
    if verb == "query":
        if not registry.exists(key):
            return missing
        values = {
            one: value for one, value in registry.values(key).items() if name is None or one.lower() == name.lower()
        }
        if name is not None and not values:
            return missing
        back = {ours: theirs for theirs, ours in REG_TYPES.items()}
        lines = [
            f"    {one or '(Default)'}    {back[kind]}    {_shown(kind, value)}"
            for one, (kind, value) in values.items()
        ]
        return Done(0, "\r\n".join(["", f"HKEY_LOCAL_MACHINE\\{key}", *lines, "", ""]))
    if denied(call, "reg"):
        return Done(1, "", "ERROR: Access is denied.\r\n")
    if verb == "add":
        kind = REG_TYPES.get((_option(call.argv, "/t") or "REG_SZ").upper())
        if kind not in KINDS:
            return Done(1, "", "ERROR: Invalid syntax. Specify valid registry value type.\r\n")
        data = _option(call.argv, "/d") or ""
        try:
            registry.make(key)
            if name is not None:
                registry.put(
                    key,
                    name,
                    kind,
                    converted(
                        kind,
                        data.split("\\0")
                        if kind == "MultiString"
                        else list(bytes.fromhex(data))
                        if kind == "Binary"
                        else data or "0"
                        if kind != "String"
                        else data,
                    ),
                )
        except (Refused, ValueError):
            return Done(1, "", "ERROR: Invalid syntax.\r\n")
        return Done(0, "The operation completed successfully.\r\n")
    if verb == "delete":
        if (
            "/f" not in [one.lower() for one in call.argv]
            or not registry.exists(key)
            or (name is not None and not registry.drop(key, name))
        ):
            return missing
        if name is None:
            registry.remove(key)
        return Done(0, "The operation completed successfully.\r\n")
    return Done(1, "", "ERROR: Invalid Argument/Option.\r\n")


def _shown(kind: str, value: object) -> str:
    if kind in {"DWord", "QWord"} and isinstance(value, int):
        return hex(value & (0xFFFFFFFF if kind == "DWord" else (1 << 64) - 1))
    if isinstance(value, list):
        return "\\0".join(value) if kind == "MultiString" else bytes(value).hex().upper()
    return str(value)


@program("systeminfo.exe")
def systeminfo(call: ProgramCall) -> Done:
    """The first lines of it."""
    computer = call.machine.computer
    boot = datetime.fromtimestamp(call.machine.booted_at, UTC).strftime("%m/%d/%Y, %I:%M:%S %p")
    rows = {
        "Host Name": computer.name,
        "OS Name": computer.caption,
        "OS Version": f"{computer.version} N/A Build {computer.build}",
        "System Boot Time": boot,
        "Domain": computer.data["domain"] or "WORKGROUP",
    }
    return Done(0, "\r\n" + "".join(f"{name + ':':<27}{value}\r\n" for name, value in rows.items()))


def failed(code: int) -> Done:
    """A program's exit with a Win32 error's text."""
    return Done(code, "", f"{WIN32.get(code, 'Unknown error')}\r\n")
