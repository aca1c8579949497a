<#
.SYNOPSIS
Stops a service with all that depends on it, and remembers which of those ran.
.PARAMETER Name
The name that the protection gives it.
.PARAMETER Unit
The short name of the Windows service, where no protection of this host has it yet.
.OUTPUTS
{"changed": true | false, "dependents": [...]}
#>
[CmdletBinding(SupportsShouldProcess = $true)]
param([Parameter(Mandatory = $true)] [string] $Name, [string] $Unit = '')
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
. (Join-Path -Path $PSScriptRoot -ChildPath 'state.ps1')

$lock = Lock-Dtam
try {
    $found = Find-DtamService $Name
    if ($found) { $Unit = [string]$found.service.unit }
    if (-not $Unit) { throw "no protection of this host has a service $Name" }
    $service = Get-Service -Name $Unit
    $dependents = @($service.DependentServices | Where-Object { [string]$_.Status -eq 'Running' } | ForEach-Object { [string]$_.Name })
    $ran = [string]$service.Status -ne 'Stopped'
    if ($PSCmdlet.ShouldProcess($Unit, 'stop the service and all that depends on it')) {
        if ($found) {
            $held = $found.state
            $held.wanted = @($held.wanted | Where-Object { $_ -and $_ -ne $Name })
            if ($ran) {
                $others = @($held.dependents | Where-Object { $_ -and $_.of -ne $Name })
                $held.dependents = @($others + @($dependents | ForEach-Object { [pscustomobject]@{ of = $Name; unit = $_ } }))
            }
            Save-DtamProtection $held
        }
        $grace = if ($found) { Get-DtamNumber $found.service 'grace_s' 30 } else { 30 }
        Stop-DtamUnit $Unit $grace
    }
    [pscustomobject]@{ changed = $ran; dependents = $dependents }
} finally {
    $lock.Dispose()
}
