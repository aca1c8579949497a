"""netdom computername and setspn, over the lab's directory."""

from __future__ import annotations

from tests.lab.windows.cmdlets.programs import denied
from tests.lab.windows.machine.refusals import Refused
from tests.lab.windows.machine.settings import Directory
from tests.lab.windows.powershell.commands import Done, ProgramCall, program

NETDOM_DONE = "The command completed successfully.\r\n\r\n"


def _switches(argv: tuple[str, ...]) -> dict[str, str]:
    return {
        name.lower(): value
        for name, _, value in (one.lstrip("/-").partition(":") for one in argv if one.startswith(("/", "-")))
    }


def _netdom_failed(text: str, code: int) -> Done:
    return Done(code, f"{text}\r\n\r\nThe command failed to complete successfully.\r\n\r\n")


def _for_this(call: ProgramCall, name: str) -> bool:
    computer = call.machine.computer
    return name.lower() in {computer.name.lower(), computer.fqdn.lower(), ".", "localhost"}


@program("netdom.exe")
def netdom(call: ProgramCall) -> Done:  # noqa: PLR0911 - a return for each ending of the program
    """computername NAME /add: /remove: /makeprimary: /enumerate."""
    if len(call.argv) < 2 or call.argv[0].lower() != "computername":
        return _netdom_failed("The syntax of this command is:\r\n\r\nNETDOM COMPUTERNAME machine ...", 87)
    if not _for_this(call, call.argv[1]):
        return _netdom_failed("The RPC server is unavailable.", 1722)
    switches, computer, directory = _switches(call.argv[2:]), call.machine.computer, call.machine.hooks.directory
    if "enumerate" in switches:
        kind = switches["enumerate"].lower()
        primary, alternate = [computer.fqdn], list(computer.data["alternate_names"])
        names = alternate if kind.startswith("alt") else primary if kind.startswith("prim") else primary + alternate
        return Done(
            0, "All of the names for the computer are:\r\n\r\n" + "".join(f"{one}\r\n" for one in names) + NETDOM_DONE
        )
    if denied(call, "netdom"):
        return _netdom_failed("Access is denied.", 5)
    if computer.data["domain"] and directory is None:
        return _netdom_failed("The specified domain either does not exist or could not be contacted.", 1355)
    if call.session.is_network_logon and "userd" not in switches:
        return _netdom_failed("Access is denied.", 5)  # no second hop: the session has no credentials for a controller
    try:
        return _change_names(call, switches, directory)
    except Refused as why:
        return _netdom_failed(why.message, why.code or 1)


def _change_names(call: ProgramCall, switches: dict[str, str], directory: Directory | None) -> Done:
    computer = call.machine.computer
    held = [one.lower() for one in computer.data["alternate_names"]]
    if name := switches.get("add"):
        if "." not in name:
            return _netdom_failed(
                "The specified computer name is not a fully qualified name.", 87
            )  # wording not confirmed
        if name.lower() in held:
            return _netdom_failed("The object already exists.", 5010)
        if directory:
            directory.add_alternate_name(computer.name, name)
        computer.data["alternate_names"].append(name)
        text = f"Successfully added {name}\r\nas an alternate name for the computer.\r\n\r\n"
    elif name := switches.get("remove"):
        if name.lower() not in held:
            return _netdom_failed("The system cannot find the file specified.", 2)
        if directory:
            directory.remove_alternate_name(computer.name, name)
        computer.data["alternate_names"] = [
            one for one in computer.data["alternate_names"] if one.lower() != name.lower()
        ]
        text = f"Successfully removed {name}\r\nas an alternate name for the computer.\r\n\r\n"
    elif name := switches.get("makeprimary"):
        computer.rename(name.split(".")[0])
        text = f"Successfully made {name}\r\nthe primary name for the computer. The computer must be rebooted for this\r\nname change to take effect.\r\n\r\n"
    else:
        return _netdom_failed("The parameter is incorrect.", 87)
    computer.save()
    return Done(0, text + NETDOM_DONE)


@program("setspn.exe")
def setspn(call: ProgramCall) -> Done:  # noqa: PLR0911 - a return for each ending of the program
    """-L account, -Q spn, -S / -A / -D spn account, -X."""
    directory: Directory | None = call.machine.hooks.directory
    if not call.argv:
        return Done(0, "Usage: setspn.exe [modifiers switch data] computername\r\n")
    if directory is None or "setspn" in call.machine.faults.denied:
        text = 'Ldap Error(0x51 -- Server Down): ldap_connect\r\nFailed to retrieve DN for domain "" : 0x00000051\r\n'
        return Done(
            1,
            text
            if directory is None
            else "Failed to assign SPN on account, error 0x2098/8344 -> Insufficient access rights to perform the operation.\r\n",
        )
    switch, rest = call.argv[0].lower(), call.argv[1:]
    if call.session.is_network_logon:  # no second hop; the program's own words for it are not confirmed
        return Done(1, "Ldap Error(0x31 -- Invalid Credentials): ldap_bind_sW\r\n")
    try:
        if switch == "-l" and rest:
            dn = directory.distinguished_name(rest[0])
            rows = "".join(f"\t{one}\r\n" for one in directory.spns(rest[0]))
            return Done(0, f"Registered ServicePrincipalNames for {dn}:\r\n{rows}")
        if switch == "-q" and rest:
            return _query(directory, rest[0])
        if switch in {"-s", "-a", "-d"} and len(rest) >= 2:
            return _change_spn(directory, switch, rest[0], rest[1])
    except Refused as why:
        return Done(why.code or 1, f"{why.message}\r\n")
    return Done(87, "Unknown parameter.  Please check your usage.\r\n")


def _query(directory: Directory, spn: str) -> Done:
    holders = directory.holders(spn)
    if not holders:
        return Done(1, "No such SPN found.\r\n")
    rows = "".join(f"{dn}\r\n\t{spn}\r\n" for dn in holders)
    return Done(0, f"{rows}\r\nExisting SPN found!\r\n")


def _change_spn(directory: Directory, switch: str, spn: str, account: str) -> Done:
    dn = directory.distinguished_name(account)
    if switch == "-d":
        if spn.lower() not in [one.lower() for one in directory.spns(account)]:
            return Done(
                1, f"Unregistering ServicePrincipalNames for {dn}\r\n\t{spn}\r\nUpdated object\r\n"
            )  # it says so of one that is not there, too
        directory.remove_spn(account, spn)
        return Done(0, f"Unregistering ServicePrincipalNames for {dn}\r\n\t{spn}\r\nUpdated object\r\n")
    holders = directory.holders(spn)
    if holders:
        rows = "".join(f"{one}\r\n\t{spn}\r\n" for one in holders)
        return Done(
            1, f"Checking domain {dn.partition(',DC=')[2]}\r\n{rows}\r\nDuplicate SPN found, aborting operation!\r\n"
        )
    directory.add_spn(account, spn)
    return Done(
        0, f"Checking domain\r\n\r\nRegistering ServicePrincipalNames for {dn}\r\n\t{spn}\r\nUpdated object\r\n"
    )
