<#
.SYNOPSIS
The services that are protected on this host, then further ones that are asked for.
.PARAMETER Wanted
Services as protections have them: name and unit, the short name of the Windows service.
.OUTPUTS
One object a service: name, state, healthy, fenced, managed, start_type, says.
#>
[CmdletBinding()]
param($Wanted = @())
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
. (Join-Path -Path $PSScriptRoot -ChildPath 'state.ps1')

function Get-DtamServiceState {
    param($Service, [bool] $Managed, [string] $Fence)
    $found = Get-Service -Name ([string]$Service.unit) -ErrorAction SilentlyContinue
    $state = 'unknown'
    $start = 'unknown'
    $says = "there is no service $($Service.unit)"
    if ($found) {
        $says = [string]$found.Status
        $states = @{ Running = 'running'; Stopped = 'stopped'; StartPending = 'starting'; StopPending = 'stopping' }
        $types = @{ Automatic = 'automatic'; Manual = 'manual'; Disabled = 'disabled' }
        $state = if ($states[$says]) { $states[$says] } else { 'unknown' }
        $start = if ($types[[string]$found.StartType]) { $types[[string]$found.StartType] } else { 'unknown' }
    }
    if ($Fence) { $says = "$says; $Fence" }
    [pscustomobject]@{
        name = [string]$Service.name
        state = $state
        healthy = if ($found) { $state -eq 'running' } else { $null }
        fenced = [bool]$Fence
        managed = $Managed
        start_type = $start
        says = $says
    }
}

$names = @()
foreach ($protection in @(Get-DtamProtectionName)) {
    $held = Read-DtamProtection $protection
    foreach ($service in @($held.services)) {
        $names += [string]$service.name
        Get-DtamServiceState $service $true (Get-DtamReason $held)
    }
}
foreach ($service in @($Wanted | Where-Object { $_ -and $names -notcontains [string]$_.name })) {
    Get-DtamServiceState $service $false ''
}
