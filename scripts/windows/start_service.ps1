<#
.SYNOPSIS
Starts a protected service and waits until it runs; refused while this host may not serve.
.DESCRIPTION
Services that depended on it and ran when it was stopped are started, too.
.PARAMETER Name
The name that the protection gives it.
.OUTPUTS
{"changed": true | false}
#>
[CmdletBinding(SupportsShouldProcess = $true)]
param([Parameter(Mandatory = $true)] [string] $Name)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
. (Join-Path -Path $PSScriptRoot -ChildPath 'state.ps1')

$lock = Lock-Dtam
try {
    $found = Find-DtamService $Name
    if (-not $found) { throw "no protection of this host has a service $Name" }
    $held = $found.state
    $reason = Get-DtamReason $held
    if ($reason) { throw "service $Name is not started: $reason" }
    $unit = [string]$found.service.unit
    $ran = [string](Get-Service -Name $unit).Status -eq 'Running'
    if ($PSCmdlet.ShouldProcess($unit, 'start the service')) {
        if (@($held.wanted) -notcontains $Name) {
            $held.wanted = @(@($held.wanted) + $Name | Where-Object { $_ })
            Save-DtamProtection $held
        }
        Start-DtamService $held $found.service
    }
    [pscustomobject]@{ changed = -not $ran }
} finally {
    $lock.Dispose()
}
