<#
.SYNOPSIS
Whether the commands that dtam uses are here with the parameters that it uses, and the limits of WinRM. Changes nothing.
.PARAMETER Commands
An object: the name of a command, and the parameters that are given to it.
.PARAMETER Settings
Paths below WSMan:\localhost, such as MaxEnvelopeSizekb.
.OUTPUTS
One object a command (kind command: name, exists, lacking) and one a setting (kind setting: name, value, why).
#>
[CmdletBinding()]
param([Parameter(Mandatory = $true)] $Commands, [string[]] $Settings = @())
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

foreach ($one in @($Commands.PSObject.Properties)) {
    $found = @(Get-Command -Name $one.Name -ErrorAction SilentlyContinue)
    $lacking = @()
    if ($found.Count -gt 0) {
        $known = @($found[0].Parameters.Keys)
        $lacking = @($one.Value | Where-Object { $known -notcontains $_ })
    }
    [pscustomobject]@{ kind = 'command'; name = $one.Name; exists = ($found.Count -gt 0); lacking = $lacking }
}
foreach ($name in $Settings) {
    $value = $null
    $why = ''
    try {
        $value = [string] (Get-Item -LiteralPath "WSMan:\localhost\$name").Value
    }
    catch {
        $why = $_.Exception.Message
    }
    [pscustomobject]@{ kind = 'setting'; name = $name; value = $value; why = $why }
}
