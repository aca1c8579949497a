"""PowerShell behind the wire: powershell.exe in a remote shell with pywinrm, runspace pools with pypsrp."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from pypsrp.client import Client
from pypsrp.exceptions import WSManFaultError
from pypsrp.powershell import PowerShell, PSInvocationState, RunspacePool
from winrm.exceptions import WinRMTransportError

from tests.lab.waiting import until
from tests.lab.windows.clients import fault_of, run, winrm, wsman
from tests.lab.windows.starting import WindowsHost, windows_host

pytestmark = pytest.mark.usefixtures("no_other_authorities")


@pytest.fixture(scope="module")
def host_settings() -> dict[str, Any]:
    return {"machine": {"release": "2019"}, "endpoints": {"Restricted": ["Get-Service"]}}


@pytest.fixture
def pool(host: WindowsHost) -> Iterator[RunspacePool]:
    """A runspace pool of an administrator."""
    with RunspacePool(wsman(host)) as pool:
        yield pool


def encoded(script: str) -> str:
    """A command line that runs the script."""
    text = base64.b64encode(script.encode("utf-16-le")).decode()
    return f"powershell.exe -NoProfile -NonInteractive -EncodedCommand {text}"


# -- powershell.exe in a remote shell ---------------------------------------------------------------------------------
def test_a_script_with_standard_input_and_exit_code(host: WindowsHost) -> None:
    client = winrm(host)
    assert run(client, encoded("[Console]::In.ReadToEnd(); exit 5"), b"given") == (b"given\r\n", b"", 5)


def test_the_environment_of_the_shell_is_that_of_the_script(host: WindowsHost) -> None:
    client = winrm(host)
    shell = client.open_shell(env_vars={"COLOUR": "green"})
    command = client.run_command(shell, encoded("$env:COLOUR; $env:COMPUTERNAME"))
    assert client.get_command_output(shell, command)[0] == b"green\r\nALPHA\r\n"


@pytest.mark.parametrize(("page", "heard"), [(65001, "gr\u00fcn \u20ac"), (437, "gr\u00fcn ?")])
def test_text_goes_through_the_code_page_of_the_shell(host: WindowsHost, page: int, heard: str) -> None:
    client = winrm(host)
    shell = client.open_shell(codepage=page)
    command = client.run_command(shell, encoded("'gr\u00fcn \u20ac'"))
    text = client.get_command_output(shell, command)[0]
    assert text.decode("utf-8" if page == 65001 else f"cp{page}") == f"{heard}\r\n"


def test_an_error_comes_as_clixml_from_an_encoded_command(host: WindowsHost) -> None:
    out, err, code = run(winrm(host), encoded("throw 'on purpose'"))
    assert (out, code) == (b"", 1)
    assert err.startswith(b"#< CLIXML")
    assert b"on purpose" in err


def test_the_execution_policy_is_the_machines(host: WindowsHost) -> None:
    place = r"HKLM:\SOFTWARE\Microsoft\PowerShell\1\ShellIds\Microsoft.PowerShell"
    client = winrm(host)
    assert run(client, encoded("Get-ExecutionPolicy"))[0] == b"RemoteSigned\r\n"
    put = f"New-Item -Path '{place}' -Force; New-ItemProperty -Path '{place}' -Name ExecutionPolicy -Value AllSigned -Force"
    assert run(winrm(host), encoded(put))[2] == 0
    assert run(winrm(host), encoded("Get-ExecutionPolicy"))[0] == b"AllSigned\r\n"
    assert run(winrm(host), encoded(f"Remove-ItemProperty -Path '{place}' -Name ExecutionPolicy"))[2] == 0


def test_an_account_of_the_host_has_a_sid_of_the_host(host: WindowsHost) -> None:
    script = "[System.Security.Principal.WindowsIdentity]::GetCurrent().User.Value"
    sid = run(winrm(host), encoded(script))[0].decode().strip()
    assert sid == host.control.ask("machine", call="accounts.sid", arguments=["ALPHA\\dtam"])
    assert sid.startswith(host.control.ask("machine", call="accounts.data.machine_sid") + "-")


def test_a_script_that_is_terminated_runs_no_further(host: WindowsHost) -> None:
    client = winrm(host)
    shell = client.open_shell()
    command = client.run_command(shell, encoded("while ($true) { $n = 1 }"))
    client.cleanup_command(shell, command)
    assert fault_of(lambda: client.get_command_output_raw(shell, command)) == 2150858843
    assert run(winrm(host), encoded("'alive'"))[0] == b"alive\r\n"


def test_what_is_outside_the_subset_is_never_a_success(host: WindowsHost) -> None:
    out, err, code = run(winrm(host), encoded("try { workflow x { } } catch { 'hidden' }"))
    assert code != 0
    assert b"hidden" not in out
    assert err


# -- PowerShell remoting ----------------------------------------------------------------------------------------------
def invoke(pool: RunspacePool, script: str) -> PowerShell:
    """A script in a pipeline of its own."""
    shell = PowerShell(pool)
    shell.add_script(script)
    shell.invoke()
    return shell


def test_objects_come_back_with_their_types(pool: RunspacePool) -> None:
    done = invoke(pool, "1; 'text'; $true; 2.5; @(1, 'a'); @{ key = 'value' }")
    assert done.state == PSInvocationState.COMPLETED
    assert list(done.output) == [1, "text", True, 2.5, 1, "a", {"key": "value"}]


def test_an_object_of_the_machine(pool: RunspacePool) -> None:
    (service,) = invoke(pool, "Get-Service -Name LanmanServer").output
    assert service.adapted_properties.get("Name", service.extended_properties.get("Name")) == "LanmanServer"


def test_a_command_with_parameters(pool: RunspacePool) -> None:
    shell = PowerShell(pool)
    shell.add_cmdlet("Get-Service").add_parameter("Name", ["LanmanServer", "it's not there"]).add_parameter(
        "ErrorAction", "SilentlyContinue"
    )
    assert len(shell.invoke()) == 1


def test_what_a_pipeline_defines_stays_in_its_runspace(pool: RunspacePool) -> None:
    invoke(pool, "$kept = 41; function Add-One {\nparam($To)\n$To + 1 }")
    assert list(invoke(pool, "Add-One -To $kept").output) == [42]


def test_errors_that_do_not_end_a_script(pool: RunspacePool) -> None:
    done = invoke(pool, "Get-Service -Name nonesuch; 'after'")
    assert done.state == PSInvocationState.COMPLETED
    assert list(done.output) == ["after"]
    (error,) = done.streams.error
    assert "nonesuch" in str(error)
    assert error.fq_error.startswith("NoServiceFoundForGivenName")


def test_an_error_that_ends_a_script(pool: RunspacePool) -> None:
    shell = PowerShell(pool)
    shell.add_script("'before'; throw 'enough'")
    shell.invoke()
    assert shell.state == PSInvocationState.FAILED
    assert list(shell.output) == ["before"]
    assert "enough" in str(shell.streams.error[-1])


def test_a_pipeline_is_stopped(pool: RunspacePool) -> None:
    shell = PowerShell(pool)
    shell.add_script("while ($true) { $n = 1 }")
    shell.begin_invoke()
    shell.stop()
    assert shell.state == PSInvocationState.STOPPED
    assert list(invoke(pool, "'next'").output) == ["next"]


def test_a_script_that_is_longer_than_a_fragment(pool: RunspacePool) -> None:
    text = "x" * 300_000
    assert list(invoke(pool, f"'{text}'").output) == [text]


def test_how_many_runspaces_are_free(pool: RunspacePool) -> None:
    assert pool.get_available_runspaces() == 1


def test_the_client_of_pypsrp(host: WindowsHost) -> None:
    given = {"port": host.http_port, "ssl": False, "auth": "ntlm", "no_proxy": True, "password": host.passwords["dtam"]}
    with Client(host.address, username="dtam", **given) as client:
        assert client.execute_ps("'said'")[0] == "said"
        assert client.execute_cmd("hostname") == ("ALPHA\r\n", "", 0)


def test_a_pool_of_somebody_else_and_one_that_is_gone(host: WindowsHost) -> None:
    pool = RunspacePool(wsman(host))
    pool.open()
    host.control.ask("delete-shells")
    with pytest.raises(WSManFaultError) as caught:
        invoke(pool, "1")
    assert caught.value.code == 2150858843
    assert fault_of(RunspacePool(wsman(host, "nobody")).open) == 5


def test_a_configuration_that_is_not_registered(host: WindowsHost) -> None:
    assert fault_of(RunspacePool(wsman(host), configuration_name="Nonesuch").open) == 2150858752


def test_a_restricted_configuration_has_its_commands_and_no_language(host: WindowsHost) -> None:
    with RunspacePool(wsman(host), configuration_name="Restricted") as pool:
        assert len(PowerShell(pool).add_cmdlet("Get-Service").add_parameter("Name", "LanmanServer").invoke()) == 1
        for refused, said in (
            (PowerShell(pool).add_cmdlet("Get-Process"), "is not recognized"),
            (PowerShell(pool).add_script("Get-Service"), "no-language mode"),
        ):
            refused.invoke()
            assert refused.state == PSInvocationState.FAILED
            assert said in str(refused.streams.error[-1])


# -- trouble at a moment of a script ------------------------------------------------------------------------------------
def test_the_power_goes_after_a_deed(tmp_path: Path) -> None:
    with windows_host(tmp_path) as host:
        host.control.ask("at", command="New-Item", deed="die")
        with pytest.raises(requests.exceptions.ConnectionError):
            run(
                winrm(host),
                encoded("New-Item -ItemType Directory -Path C:\\One; New-Item -ItemType Directory -Path C:\\Two"),
            )
        host.gone()
        host.power_cut()
        host.boot()
        assert run(winrm(host), encoded("Test-Path C:\\One; Test-Path C:\\Two"))[0] == b"True\r\nFalse\r\n"


def test_the_connection_goes_and_the_script_goes_on(host: WindowsHost) -> None:
    host.control.ask("at", command="New-Item", deed="cut", after=False)
    # Either the answer is cut, or the next question goes over a new connection with seals of the old one.
    with pytest.raises((requests.exceptions.ConnectionError, WinRMTransportError)):
        run(winrm(host), encoded("New-Item -ItemType Directory -Path C:\\Kept"))
    there = encoded("Test-Path C:\\Kept")
    until("the script went on", lambda: run(winrm(host), there)[0] == b"True\r\n")
    assert host.control.ask("dropped")[-1] > 0


# -- restarts ---------------------------------------------------------------------------------------------------------
def test_restart_computer_boots_the_host(host: WindowsHost) -> None:
    assert run(winrm(host), encoded("Restart-Computer -Force"))[2] == 0
    host.wait_ready()
    assert run(winrm(host), "hostname")[0] == b"ALPHA\r\n"
