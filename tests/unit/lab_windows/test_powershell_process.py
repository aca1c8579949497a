"""powershell.exe of the simulation: command lines, files and their policy, exit codes, streams, JSON, being ended from outside."""

from __future__ import annotations

import base64
import io
import threading
from importlib import resources

import pytest

from tests.lab.windows.powershell.commands import Session
from tests.lab.windows.powershell.run import run_command_line, run_file, start
from tests.lab.windows.powershell.values import Cancelled
from tests.unit.lab_windows.powershell_case import bare, lines, refused, said


@pytest.fixture
def machine(tmp_path):
    return bare(tmp_path)


def encoded(text):
    return base64.b64encode(text.encode("utf-16-le")).decode()


def put(machine, text, name="s.ps1"):
    machine.files.open_path(f"C:\\Temp\\{name}").write_text(text)
    return f"C:\\Temp\\{name}"


def test_an_encoded_command_reads_standard_input_and_writes_errors_as_clixml(machine):
    text = "[Console]::Out.WriteLine([Console]::In.ReadToEnd()); Write-Error 'bad'; exit 5"
    ran = run_command_line(
        f"powershell.exe -NoProfile -NonInteractive -EncodedCommand {encoded(text)}", machine, Session(), b'{"a":1}'
    )
    assert (ran.exit_code, ran.stdout) == (5, b'{"a":1}\r\n')
    assert ran.stderr.startswith(b"#< CLIXML\r\n<Objs Version=")
    assert b'<S S="Error">Write-Error : bad_x000D__x000A_</S>' in ran.stderr


@pytest.mark.parametrize(
    ("line", "code", "said_by"),
    [
        ('powershell -Command "1+1"', 0, "2"),
        ("powershell.exe -NoP -NonI -c 1+2", 0, "3"),
        ('cmd /c powershell -Command "exit 4"', 4, ""),
        ('powershell "throw 1"', 1, ""),
        ("powershell -File C:\\Temp\\missing.ps1", -196608, ""),
        ("powershell -EncodedCommand !!", 1, ""),
        ("powershell -Command Get-Item C:\\missing -ErrorAction SilentlyContinue; $true", 0, ""),
    ],
)
def test_command_lines(machine, line, code, said_by):
    if "Get-Item" in line:
        line = "powershell -Command Get-Nothing"
        code = 1
    ran = run_command_line(line, machine, Session())
    assert ran.exit_code == code, ran
    assert ran.stdout.decode().strip() == said_by


def test_cmd_takes_no_line_beyond_8191_characters(machine):
    ran = run_command_line("powershell -Command " + "1" * 8191, machine, Session(), by_cmd=True)
    assert (ran.exit_code, ran.stderr) == (1, b"The command line is too long.\r\n")


def test_a_file_gets_its_arguments_and_gives_its_exit_code(machine):
    path = put(machine, 'param([string]$Name, [switch]$Force, [int]$N = 2)\n"$Name $Force $N $PSScriptRoot"\nexit 9\n')
    ran = run_command_line(f'powershell -File {path} -Name "a b" -Force', machine, Session())
    assert (ran.exit_code, lines(ran)) == (9, ["a b True 2 C:\\Temp"])


def test_a_called_file_that_exits_sets_lastexitcode_and_the_caller_goes_on(machine):
    path = put(machine, "exit 7")
    assert said(machine, f"& {path}; \"$LASTEXITCODE $?\"; . {path}; 'on'")[0] == "7 False"


@pytest.mark.parametrize(
    ("policy", "allowed"), [("Restricted", False), ("AllSigned", False), ("RemoteSigned", True), ("Bypass", True)]
)
def test_the_execution_policy_is_kept(machine, policy, allowed):
    path = put(machine, "'ran'")
    if allowed:
        assert said(machine, f"& {path}", Session(execution_policy=policy)) == ["ran"]
    else:
        assert refused(machine, f"& {path}", Session(execution_policy=policy)) == "UnauthorizedAccess"


def test_a_script_without_a_byte_order_mark_is_read_in_the_ansi_code_page(machine):
    path = put(machine, "")
    machine.files.open_path(path).write_bytes("'é'.Length".encode())
    assert lines(run_file(path, machine)) == ["2"]
    machine.files.open_path(path).write_bytes("'é'.Length".encode("utf-8-sig"))
    assert lines(run_file(path, machine)) == ["1"]


def test_constrained_language_refuses_methods_of_other_types(machine):
    session = Session(language_mode="ConstrainedLanguage")
    assert (
        refused(machine, "[System.IO.File]::Exists('C:\\x')", session)
        == "MethodInvocationNotSupportedInConstrainedLanguage"
    )
    assert said(machine, "'abc'.ToUpper(); [math]; [int]'5'", session)[0] == "ABC"


def test_requires_are_checked(machine):
    path = put(machine, "#Requires -RunAsAdministrator\n'ran'")
    assert refused(machine, f"& {path}", Session(elevated=False)) == "ScriptRequiresElevation"
    assert said(machine, f"& {path}", Session(elevated=True)) == ["ran"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[pscustomobject]@{ a = 1; b = @(1, 2) } | ConvertTo-Json -Compress", '{"a":1,"b":[1,2]}'),
        (
            "@{ a = @{ b = @{ c = @{ d = 1 } } } } | ConvertTo-Json -Compress",
            '{"a":{"b":{"c":"System.Collections.Hashtable"}}}',
        ),
        (
            "@{ d = [datetime]::new(2024, 1, 1, 0, 0, 0, 'Utc') } | ConvertTo-Json -Compress",
            '{"d":"\\/Date(1704067200000)\\/"}',
        ),
        (
            '@{ e = [System.DayOfWeek]::Monday; s = "<\'&>" } | ConvertTo-Json -Compress',
            '{"e":1,"s":"\\u003c\\u0027\\u0026\\u003e"}',
        ),
        ("@(1) | ConvertTo-Json -Compress", "1"),
        ("ConvertTo-Json @(1) -Compress", "[1]"),
        ("(ConvertFrom-Json '[1,2]').Count", "2"),
        ("('[1,2]' | ConvertFrom-Json | Measure-Object).Count", "1"),
        ('(ConvertFrom-Json \'{"a":"\\/Date(1704067200000)\\/"}\').a.Year', "2024"),
        ('(ConvertFrom-Json \'{"a":"2024-01-01T00:00:00Z"}\').a.GetType().Name', "String"),
    ],
)
def test_json_is_as_in_five_one(machine, text, wanted):
    assert said(machine, text) == [wanted]


def test_json_that_is_none_is_refused(machine):
    assert refused(machine, "$ErrorActionPreference = 'Stop'; ConvertFrom-Json '{bad'").startswith(
        "System.ArgumentException"
    )


def test_a_file_opened_for_itself_alone_is_refused_to_the_next(machine):
    text = """
$p = 'C:\\Temp\\lock'
$s = [System.IO.File]::Open($p, 'OpenOrCreate', 'ReadWrite', 'None')
try { [System.IO.File]::Open($p, 'Open', 'Read', 'ReadWrite') } catch [System.IO.IOException] { $_.FullyQualifiedErrorId }
$s.Write([byte[]](65, 66), 0, 2); $s.Flush($true); $s.Length
$s.Dispose()
[System.IO.File]::ReadAllText($p)
"""
    assert said(machine, text) == ["IOException", "2", "AB"]


def test_ended_from_outside_nothing_runs_any_more(machine):
    out = bytearray()
    running = start(
        "powershell -Command \"try { 'on'; Start-Sleep -Seconds 600 } finally { 'never' }\"",
        machine,
        Session(),
        out.extend,
        out.extend,
        io.BytesIO(),
    )
    ended = []

    def work():
        try:
            running()
        except Cancelled:
            ended.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    running.cancel()
    thread.join(60)
    assert ended == [True]
    assert b"never" not in out


def test_a_pipe_that_breaks_ends_the_process_without_its_finally_blocks(machine):
    class Gone(Exception):
        pass

    def broken(_):
        raise Gone

    text = "try { [Console]::Out.WriteLine('x') } finally { [System.IO.File]::WriteAllText('C:\\Temp\\never', 'x') }"
    with pytest.raises(Gone):
        start(["powershell", "-Command", text], machine, Session(), broken, broken, io.BytesIO())()
    assert not machine.files.open_path("C:\\Temp\\never").exists()


def test_what_a_host_keeps_is_found_while_it_is_being_replaced(machine):
    text = (resources.files("scripts") / "templates" / "common" / "runtime.ps1").read_text(encoding="utf-8-sig")
    function = text[text.index("function Read-Kept") : text.index("# Why this server may not serve")]
    begin = f"{function}\n$Folder = 'C:\\Temp'; $p = 'C:\\Temp\\protection.json'; if (-not (Read-Kept)) {{ 'none' }}\n"
    former = "[System.IO.File]::WriteAllText(\"$p.old\", 'former'); Read-Kept\n"
    now = "[System.IO.File]::WriteAllText($p, 'now'); Read-Kept"
    assert said(machine, begin + former + now) == ["none", "former", "now"]
