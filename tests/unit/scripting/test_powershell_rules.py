"""The checker itself: each script that must not pass does not, and says why."""

from __future__ import annotations

import pytest

from tests.unit.scripting.powershell_rules import problems

WRONG = {
    "Get-Serivce -Name x": "no command Get-Serivce",
    "get-smbshares -ErrorAction Stop": "no command get-smbshares",
    "Get-Service -Nam x": "no parameter -Nam",
    "Get-Service -ServiceName x": "no parameter -ServiceName",
    "Get-Service -Nmae x": "no parameter -Nmae",
    "Get-Service x": "by its place",
    "gsv -Name x": "is an alias",
    "Get-ChildItem -Path C:\\ | ? { $true }": "is an alias",
    "New-SmbShare -Name x -ErrorAction Stop": "no set of parameters",
    "Get-Service -Name x -DisplayName y": "no set of parameters",
    "New-NetIPAddress -IPAddress 192.0.2.1 -PrefixLength 24 -ErrorAction Stop": "no set of parameters",
    "New-SmbShare -Name x -Path y -CachingMode Never -ErrorAction Stop": "cannot be Never",
    "Get-Service -Name": "is given nothing",
    "Get-SmbShare": "needs -ErrorAction",
    "Invoke-Expression -Command 'x'": "not for scripts",
    "$x = @{}; Get-Service @x": "by its place",
    "& $env:x 'a'": "nobody can check",
    "[System.Net.Dns]::GetHostName()": "not in the subset",
    "[System.IO.File]::SetAttributes('a', 'b')": "not in the subset",
    "New-Object -TypeName System.Net.WebClient": "not in the subset",
    "'a'.GetHashCode()": "not in the subset",
    "Write-Output -InputObject $nothing": "nothing sets it",
    "function Get-X { param([string]$A)\n $A }\nGet-X -B 1": "no parameter -B",
    "if ($true) { 'a'": "does not parse",
    "'a' && 'b' )": "does not parse",
    "netsh.exe interface": "no command netsh.exe",
}
RIGHT = (
    "Get-Service -Name x -DependentServices | Where-Object { $_.Status -ne 'Stopped' } | ForEach-Object { $_.Name }",
    "New-SmbShare -Name x -Path y -CachingMode None -Confirm:$false -ErrorAction Stop",
    "$list = @('a'); foreach ($one in $list) { $one.ToUpperInvariant() }",
    "function Get-X { param([string]$A, [switch]$B)\n $A }\nGet-X -A 1 -B",
    "$said = @(& sc.exe config x start= auto); $said; $LASTEXITCODE",
    "try { throw 'x' } catch [System.IO.IOException] { $_.Exception.Message }",
)


@pytest.mark.parametrize("script", WRONG)
def test_what_must_not_pass_does_not(script):
    found = problems(script)
    assert any(WRONG[script] in one for one in found), found


@pytest.mark.parametrize("script", RIGHT)
def test_what_is_right_passes(script):
    assert problems(script) == []


def test_functions_beside_count():
    assert problems("Get-X -A 1", "function Get-X { param($A)\n $A }") == []
    assert problems("Get-X -A 1")
