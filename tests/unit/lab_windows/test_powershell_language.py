"""The subset of PowerShell: what the published about_* pages say happens, as cases of a script and what it puts out or is refused with."""

from __future__ import annotations

import pytest

from tests.lab.windows.powershell.run import run
from tests.unit.lab_windows.powershell_case import bare, lines, refused, said

GOOD = {
    # about_Arithmetic_Operators, about_Numeric_Literals
    "2147483647 + 1": "2147483648",
    "[int]::MaxValue * 2; (2147483647 + 1).GetType().Name": "4294967294 Double",
    "7 / 2; 6 / 2; (6 / 2).GetType().Name; -7 % 3": "3.5 3 Int32 -1",
    "3000000000; (3000000000).GetType().Name; 0x1F; 2kb; 4GB": "3000000000 Int64 31 2048 4294967296",
    "[int]2.5; [int]3.5; [int]'0x10'; [int]''": "2 4 16 0",
    '"3" + 4; 3 + "4"; "ab" * 2; 0.1 + 0.2': "34 7 abab 0.3",
    "$a = 1, 2; $a += 3; $a.Count; (@(1) + @(2, 3)) -join '-'": "3 1-2-3",
    # about_Comparison_Operators
    "1, 2, 3, 2 -eq 2": "2 2",
    "'abc' -eq 'ABC'; 'abc' -ceq 'ABC'; 'abc' -like 'A*'; 'abc' -clike 'A*'": "True False True False",
    "@(1, 2) -contains 2; 'b' -in 'A', 'B'; 3 -notin 1, 2": "True True True",
    "'a.b.c' -replace '\\.', '-'; 'John Smith' -replace '(\\w+) (\\w+)', '$2, $1'; 'Ab' -creplace 'a', 'x'": "a-b-c Smith, John Ab",
    "if ('abc' -match '(?<q>b)(c)') { $Matches.q; $Matches[1]; $Matches[0] }": "b c bc",
    "'a,b;c' -split '[,;]'; 'a b' -split ' ', 2; -split ' x  y '": "a b c a b x y",
    "'10' -lt 9; 10 -lt '9'; '2' -gt 10": "True False True",
    "$null -eq @(); @($null).Count; @().Count": "False 1 0",
    # about_Booleans
    "[bool]'False'; [bool]0; [bool]@(); [bool]@(0); [bool]@(0, 0); [bool]@{}": "True False False False True True",
    # about_Quoting_Rules
    '$s = "x"; "$s.Length $($s.Length) ${s}y `$s"': "x.Length 1 xy $s",
    "'it''s'; \"a\"\"b\"; '$s'": "it's a\"b $s",
    "'\u2019\u2019'": "\u2019",
    "@'\n$a\n'@": "$a",
    '$a = 1, 2; "<$a>"; $OFS = ","; "<$a>"': "<1 2> <1,2>",
    # about_Arrays, about_Hash_Tables
    "$a = 1..5; $a[-1]; $a[1..2] -join ','; $a[0, 4] -join ','; (5..3) -join ','": "5 2,3 1,5 5,4,3",
    "$h = [ordered]@{ z = 1; a = 2 }; $h.Keys -join ','; $h[0]; $h.A; $h['Z']": "z,a 1 2 1",
    "$h = @{ a = 1 }; $h.b = 2; $h.ContainsKey('B'); $h.Count; ($h | Measure-Object).Count": "True 2 1",
    "@(@{ n = 1 }, @{ n = 2 }).n -join ','": "1,2",
    '$a, $b = 1, 2, 3; "$a|$b"': "1|2 3",
    # about_Functions, about_Return, about_Splatting
    "function Get-One { 1 }; function Get-Two { 1; 2 }; function Get-None { }; (Get-Two).Count; $x = Get-None; $null -eq $x; @($x).Count; (Get-One).GetType().Name": "2 True 0 Int32",
    "function Add-Both { param([int]$A, [int]$B = 5, [switch]$S) $A + $B; $S.IsPresent }; Add-Both 1; Add-Both -A 2 -B 3 -S; $h = @{ A = 4; B = 4 }; Add-Both @h": "6 False 5 True 8 False",
    "function Get-Rest { $args.Count; $args[1] }; Get-Rest 1 -x 3": "3 -x",
    "function Test-It { [CmdletBinding(SupportsShouldProcess)] param([Parameter(Mandatory)][string]$Name)\n if ($PSCmdlet.ShouldProcess($Name, 'zap')) { \"did $Name\" } }\nTest-It -Name a -WhatIf; Test-It b":
        'What if: Performing the operation "zap" on target "a".|did b',
    "function Get-Each { param([Parameter(ValueFromPipeline)]$X) begin { 'b' } process { $X * 2 } end { 'e' } }; 1, 2 | Get-Each": "b 2 4 e",
    "$x = 1; function Set-It { $x = 2; $script:x }; Set-It; $x; function Set-Script { $script:x = 3 }; Set-Script; $x": "1 1 3",
    "$x = 1; & { $x = 2 }; $x; . { $x = 3 }; $x; 1..2 | ForEach-Object { $x += $_ }; $x": "1 3 6",
    # about_Try_Catch_Finally, about_Throw
    "try { throw 'a' } catch { \"$_\"; $_.FullyQualifiedErrorId } finally { 'f' }": "a a f",
    "try { [int]::Parse('x') } catch [System.FormatException] { $_.FullyQualifiedErrorId; $_.Exception.InnerException.GetType().Name }": "FormatException FormatException",
    "try { Get-Nothing } catch [System.Management.Automation.CommandNotFoundException] { $_.CategoryInfo.Category; $_.TargetObject }": "ObjectNotFound Get-Nothing",
    "try { try { throw [System.IO.IOException]::new('d') } catch [System.FormatException] { 'no' } finally { 'f' } } catch [System.IO.IOException] { 'io' }": "f io",
    "function Get-A { throw 'x' }\ntry {\n Get-A\n} catch { $_.InvocationInfo.ScriptLineNumber; ($_.ScriptStackTrace -split \"`r`n\").Count }": "1 2",
    "Write-Error 'e' -ErrorAction SilentlyContinue; $?; $Error.Count; Write-Error 'e' -ErrorAction Ignore; $Error.Count": "False 1 1",
    "$x = & { 'o'; Write-Error 'e'; Write-Warning 'w' } 2>&1 3>&1; $x.Count; $x[1].GetType().Name": "3 ErrorRecord",
    "Get-Nothing 2>$null; $?": "False",
    # about_Switch, loops
    "switch (3) { 1 { 'one' }\n { $_ -gt 2 } { 'big' }\n default { 'd' } }": "big",
    "switch -Wildcard ('abc') { 'a*' { 'A'; break }\n '*c' { 'C' } }": "A",
    "switch -Regex ('ab1') { '\\d' { 'digit' }\n '^a' { 'a' } }": "digit a",
    "foreach ($i in 1..5) { if ($i -eq 2) { continue }\n if ($i -eq 4) { break }\n $i }": "1 3",
    "for ($i = 0; $i -lt 2; $i++) { $i }; do { $i-- } until ($i -le 0); $i; while ($i -lt 1) { $i++ }; $i": "0 1 0 1",
    "foreach ($x in $null) { 'never' }; 'end'": "end",
    # about_Operators -f, types
    "'{0:N2}|{1,5}|{2:X4}|{3:D3}|{4:P1}' -f 1234.567, 'a', 255, 7, 0.25": "1,234.57| a|00FF|007|25.0 %".replace("| a|", "|    a|"),
    "[datetime]::Parse('2024-02-03').AddDays(1).ToString('yyyy-MM-dd'); ([datetime]'2024-01-02' - [datetime]'2024-01-01').TotalHours": "2024-02-04 24",
    "[version]'10.0.20348' -gt [version]'6.3'; ([version]'1.2.3').Minor; [guid]::Empty.ToString().Length": "True 2 36",
    "$n = 0; [int]::TryParse('12', [ref]$n); $n; [string]::Join('-', @(1, 2)); [math]::Round(2.5)": "True 12 1-2 2",
    "$l = New-Object System.Collections.Generic.List[string]; $l.Add(5); $l.Count; $l[0].GetType().Name; [System.Collections.ArrayList]::new().Count": "1 String 0",
    "[ipaddress]'10.0.0.1' -eq '10.0.0.1'; 'abc'.Substring(1, 1); 'a-b'.Split('-')[1]; [convert]::ToBase64String([byte[]](1, 2))": "True b b AQI=",
    # cmdlets of the language
    "3, 1, 2 | Sort-Object -Descending; 1..10 | Where-Object { $_ -gt 8 } | Measure-Object -Sum | Select-Object -ExpandProperty Sum": "3 2 1 19",
    "'a', 'b', 'a' | Group-Object | ForEach-Object { \"$($_.Name)=$($_.Count)\" }": "a=2 b=1",
    "$o = [pscustomobject]@{ A = 1 }; $o | Add-Member -NotePropertyName B -NotePropertyValue 2; ($o.PSObject.Properties | ForEach-Object { $_.Name }) -join ','": "A,B",
    "(Get-Command Get-SmbShare).ModuleName; (Get-Command 'New-Nothing' -ErrorAction SilentlyContinue).Count": "SmbShare 0",
    "Join-Path 'C:\\a' 'b'; Split-Path 'C:\\a\\b' -Leaf; Split-Path 'C:\\a\\b'": "C:\\a\\b b C:\\a",
    "'a', 'b' | ForEach-Object { $i = 0 } { \"$i$_\"; $i++ } { 'end' }": "0a 1b end",
    "Write-Output 1 2; Write-Host a b; (Write-Output @(1, 2)).Count": "1 2 a b 2",
    "(Get-Command Get-SmbShare).Parameters.ContainsKey('Name'); (Get-Command Get-SmbShare).Parameters.Keys -contains 'Bogus'": "True False",
    "('ab', 'cd' | Select-String -Pattern 'C(.)').Matches[0].Groups[1].Value; 'x' | Select-String 'y' -Quiet": "d False",
    "1..3 | Select-Object -First 2; (1..3 | Select-Object -Last 1)": "1 2 3",
}  # fmt: skip

BAD = {
    "if (": "UnexpectedToken",
    "1 && 2": "InvalidEndOfLine",
    "$x = (1, 2": "UnexpectedToken",
    "Set-StrictMode -Version Latest; $unset": "VariableIsUndefined",
    "Set-StrictMode -Version Latest; $h = @{}; $h.missing": "PropertyNotFoundStrict",
    "Set-StrictMode -Version Latest; $a = @(1); $a[3]": "System.IndexOutOfRangeException",
    "$null.Foo()": "InvokeMethodOnNull",
    "$null[0]": "NullArray",
    "'x'.Foo()": "MethodNotFound",
    "'x'.Substring()": "MethodCountCouldNotFindBest",
    "'x'.Substring(5)": "ArgumentOutOfRangeException",
    "[int]'abc'": "InvalidCastFromStringToInteger",
    "[byte]300": "InvalidCastIConvertible",
    "[No.Such.Type]::new()": "TypeNotFound",
    "Get-Nothing": "CommandNotFoundException",
    "C:\\no\\script.ps1": "CommandNotFoundException",
    "function F { param([int]$A) }; F -A x": "ParameterArgumentTransformationError,F",
    "function F { param([ValidateSet('a')]$A) }; F -A b": "ParameterArgumentValidationError,F",
    "function F { [CmdletBinding()] param($A) }; F -B 1": "NamedParameterNotFound,F",
    "function F { [CmdletBinding()] param($A) }; F 1 2": "PositionalParameterNotFound,F",
    "function F { param([Parameter(Mandatory)][string]$A) }; F": "MissingMandatoryParameter,F",
    "function F { param([Parameter(Mandatory)][string]$A) }; F -A ''": "ParameterArgumentValidationErrorEmptyStringNotAllowed,F",
    "throw 'mine'": "mine",
    "$ErrorActionPreference = 'Stop'; Write-Error 'e'": "Microsoft.PowerShell.Commands.WriteErrorException",
    "@{ a = 1; a = 2 }": "DuplicateKeyInHashLiteral",
    "$a = @(1); $a.Add(2)": "NotSupportedException",
    "$true = 1": "VariableNotWritable",
    "Invoke-Command -ComputerName b -ScriptBlock { 1 }": "AccessDenied,PSSessionStateBroken",
    "Read-Host": "InvalidOperation,Microsoft.PowerShell.Commands.ReadHostCommand",
    # cmdlets of Windows, bound against the published vocabulary
    "Get-SmbShare -Nme x": "NamedParameterNotFound,Get-SmbShare",
    "New-SmbShare -Name a": "MissingMandatoryParameter,New-SmbShare",
    "New-SmbShare -Name a -Path b -CachingMode Bogus": "ParameterArgumentTransformationError,New-SmbShare",
    "New-NetIPAddress -IPAddress 1.2.3.4 -InterfaceAlias a -InterfaceIndex 3": "AmbiguousParameterSet,New-NetIPAddress",
    "New-NetIPAddress -IPAddress 1.2.3.4 -InterfaceAlias a -SkipAsSource 'true'": "ParameterArgumentTransformationError,New-NetIPAddress",
    "Get-Service -Name a -Name b": "ParameterAlreadyBound,Microsoft.PowerShell.Commands.GetServiceCommand",
    "Get-Service -D": "AmbiguousParameter,Microsoft.PowerShell.Commands.GetServiceCommand",
    "Set-Service -Name": "MissingArgument,Microsoft.PowerShell.Commands.SetServiceCommand",
    "Set-Service -Name a -StartupType Bogus": "CannotConvertArgumentNoMessage,Microsoft.PowerShell.Commands.SetServiceCommand",
}

OUTSIDE = (
    "class A { }",
    "trap { 1 }",
    "[xml]'<a/>'",
    "Remove-ADUser -Identity x",
    "Foo C:\\$x",
    "New-Object -ComObject WScript.Shell",
    "[System.Net.Dns]::GetHostName()",
    "'a\u2019b'",
)


@pytest.fixture
def machine(tmp_path):
    return bare(tmp_path)


@pytest.mark.parametrize(("text", "wanted"), GOOD.items())
def test_a_script_puts_out_what_the_published_pages_say(machine, text, wanted):
    found = said(machine, text)
    assert found == wanted.split("|") or " ".join(found) == wanted


@pytest.mark.parametrize(("text", "wanted"), BAD.items())
def test_a_script_is_refused_as_the_published_pages_say(machine, text, wanted):
    assert refused(machine, text).startswith(wanted)


@pytest.mark.parametrize("text", OUTSIDE)
def test_what_lies_outside_the_subset_ends_the_script_and_cannot_be_caught(machine, text):
    ran = run(f"try {{ {text} }} catch {{ 'caught' }}; 'after'", machine)
    assert ran.exit_code == 70, ran
    assert ran.stderr.startswith((b"OutsideSubset: ", b"The term")), ran
    assert b"after" not in ran.stdout


def test_a_parse_error_lets_nothing_run(machine):
    ran = run("[Console]::Out.WriteLine('early')\nif (", machine)
    assert (ran.exit_code, ran.stdout) == (1, b"")


def test_an_error_that_ends_a_statement_lets_the_next_one_run(machine):
    ran = run("1 / 0; 'next'", machine)
    assert (ran.exit_code, lines(ran)) == (0, ["next"])
    assert b"Attempted to divide by zero." in ran.stderr


def test_inside_try_the_same_error_goes_to_the_handler_through_a_function(machine):
    assert said(machine, "function F { 1 / 0; 'not here' }; try { F } catch { 'caught' }") == ["caught"]
