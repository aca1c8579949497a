<#
.SYNOPSIS
Lets a service start by hand only, or by itself.
.PARAMETER Unit
The short name of the Windows service.
.PARAMETER StartType
manual or automatic.
.OUTPUTS
{"changed": true | false, "was": the type of before}
#>
[CmdletBinding(SupportsShouldProcess = $true)]
param(
    [Parameter(Mandatory = $true)] [string] $Unit,
    [Parameter(Mandatory = $true)] [ValidateSet('manual', 'automatic')] [string] $StartType
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$was = [string](Get-Service -Name $Unit).StartType
$differs = $was -ne $StartType
if ($differs -and $PSCmdlet.ShouldProcess($Unit, "let it start $StartType")) {
    Set-Service -Name $Unit -StartupType $StartType
}
[pscustomobject]@{ changed = $differs; was = $was }
