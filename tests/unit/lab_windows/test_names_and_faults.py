"""Native programs over a directory, and faults that a test asks for."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from tests.lab.windows.machine.refusals import Refused
from tests.lab.windows.machine.settings import Hooks
from tests.lab.windows.powershell.commands import Session
from tests.lab.windows.powershell.run import run


@dataclass
class FakeDirectory:
    """Accounts with their SPNs and other names, as a directory keeps them."""

    held: dict[str, list[str]] = field(
        default_factory=lambda: {"FS1": ["HOST/FS1"], "SRC": ["HOST/SRC", "cifs/src.lab.example"]}
    )
    names: dict[str, list[str]] = field(default_factory=dict)

    def account(self, name):
        if name.upper() not in self.held:
            raise Refused(
                f"FindDomainForAccount: Call to DsGetDcNameWithAccountW failed with return value 0x00000525\r\nUnable to locate account {name}",
                code=1,
            )
        return name.upper()

    def distinguished_name(self, account):
        return f"CN={self.account(account)},CN=Computers,DC=lab,DC=example"

    def spns(self, account):
        return self.held[self.account(account)]

    def holders(self, spn):
        return [
            self.distinguished_name(one) for one, held in self.held.items() if spn.lower() in (h.lower() for h in held)
        ]

    def add_spn(self, account, spn):
        self.held[self.account(account)].append(spn)

    def remove_spn(self, account, spn):
        self.held[self.account(account)] = [one for one in self.spns(account) if one.lower() != spn.lower()]

    def add_alternate_name(self, account, name):
        self.names.setdefault(account, []).append(name)

    def remove_alternate_name(self, account, name):
        self.names[account].remove(name)

    def alternate_names(self, account):
        return self.names.get(account, [])


def told(machine, script, *, over_the_network=False):
    ran = run(script, machine, Session(is_network_logon=over_the_network))
    return ran.stdout.decode(), ran.stderr.decode()


def test_spns_move_from_one_account_to_the_other(build):
    directory = FakeDirectory()
    machine = build(hooks=Hooks(directory=directory))
    assert "HOST/FS1" in told(machine, "setspn -L FS1")[0]
    assert "Duplicate SPN found, aborting operation!" in told(machine, "setspn -S cifs/src.lab.example FS1")[0]
    assert (
        "Updated object" in told(machine, "setspn -D cifs/src.lab.example SRC; setspn -S cifs/src.lab.example FS1")[0]
    )
    assert directory.held == {"FS1": ["HOST/FS1", "cifs/src.lab.example"], "SRC": ["HOST/SRC"]}
    assert "No such SPN found" in told(machine, "setspn -Q cifs/other")[0]
    assert "Unable to locate account" in told(machine, "setspn -L NOBODY")[0]


def test_another_name_is_added_listed_and_removed(build):
    directory = FakeDirectory()
    machine = build(hooks=Hooks(directory=directory))
    assert "successfully" in told(machine, "netdom computername FS1 /add:src.lab.example")[0]
    assert directory.names == {"FS1": ["src.lab.example"]}
    assert "src.lab.example" in told(machine, "netdom computername FS1 /enumerate:AlternateNames")[0]
    assert "already exists" in "".join(told(machine, "netdom computername FS1 /add:src.lab.example"))
    assert (
        told(machine, "Restart-Service LanmanServer -Force; Test-Path '\\\\src.lab.example\\C$'")[0].strip() == "True"
    )
    assert "successfully" in told(machine, "netdom computername FS1 /remove:src.lab.example")[0]
    assert "RPC server" in "".join(told(machine, "netdom computername OTHER /enumerate"))


def test_a_network_logon_has_no_second_hop(build):
    directory = FakeDirectory()
    machine = build(hooks=Hooks(directory=directory))
    assert "Access is denied." in "".join(
        told(machine, "netdom computername FS1 /add:src.lab.example", over_the_network=True)
    )
    assert "Invalid Credentials" in told(machine, "setspn -S HOST/x FS1", over_the_network=True)[0]
    assert (directory.names, directory.held["FS1"]) == ({}, ["HOST/FS1"])


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("Get-SmbShare", "Windows System Error 5,Get-SmbShare"),
        ("Stop-Service Spooler", "CouldNotStopService"),
        ("Set-Content E:\\x 1", "GetContentWriterUnauthorizedAccessError"),
        ("net stop Spooler", "Access is denied"),
    ],
)
def test_access_is_denied_where_a_test_says_so(machine, script, says):
    machine.faults.denied |= {"get-smbshare", "stop-service", "set-content", "net"}
    assert says in told(machine, script)[1]


def test_a_full_disk_takes_nothing(machine):
    machine.faults.full.add("E")
    assert "There is not enough space on the disk." in told(machine, "Set-Content E:\\x 1")[1]
    assert told(machine, "(Get-Volume -DriveLetter E).SizeRemaining")[0].strip() == "0"


def test_a_service_that_never_stops(machine):
    machine.faults.hanging_stop.add("spooler")
    out, err = told(machine, "Stop-Service Spooler; (Get-Service Spooler).Status")
    assert "Waiting for service 'Print Spooler (Spooler)' to stop..." in out
    assert "StopPending" in out
    assert "CouldNotStopService" in err


def test_a_service_that_falls_over(machine):
    machine.faults.failing_start["vss"] = 1067
    assert (
        "StartServiceFailed,Microsoft.PowerShell.Commands.StartServiceCommand" in told(machine, "Start-Service VSS")[1]
    )


def test_a_slow_start_is_waited_for(machine):
    machine.faults.slow_start_s["vss"] = 20
    assert told(machine, "Start-Service VSS; (Get-Service VSS).Status")[0].strip() == "Running"


def test_descriptors_of_folders(machine):
    script = (
        "[void](New-Item C:\\ProgramData\\x\\y -ItemType Directory -Force); "
        "[void](icacls.exe C:\\ProgramData\\x /inheritance:r /grant:r '*S-1-5-18:(OI)(CI)F' '*S-1-5-32-544:(OI)(CI)F'); $LASTEXITCODE; "
        "(Get-Acl C:\\ProgramData\\x\\y).Sddl"
    )
    assert told(machine, script)[0].split() == ["0", "O:BAG:SYD:AI(A;OICIID;FA;;;BA)(A;OICIID;FA;;;SY)"]
    assert told(machine, "icacls.exe C:\\nothing; $LASTEXITCODE")[0].split()[-1] == "2"
