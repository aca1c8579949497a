<#
.SYNOPSIS
Stops the protected services of this host when a lease runs out, and keeps them stopped after a boot until there is a new one.
.DESCRIPTION
A scheduled task of the system's own account starts it with the host and once a minute where it does not run. It looks every second. While
a lease with an end is held and two of its looks lie more than 15 seconds apart, the host stood still: it stops first.
A protection that never had a lease is left alone.
.PARAMETER Seconds
For how long it looks; 0: for ever.
#>
[CmdletBinding()]
param([double] $Seconds = 0)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
. (Join-Path -Path $PSScriptRoot -ChildPath 'state.ps1')

function Stop-DtamHard {
    param([string] $Unit)
    try {
        Stop-DtamUnit $Unit 10
    } catch {
        $found = Get-CimInstance -ClassName Win32_Service -Filter "Name='$Unit'"
        if ($found -and $found.ProcessId) { Stop-Process -Id $found.ProcessId -Force }
    }
}

function Test-DtamLease {
    param($Held, [string] $Boot, [double] $Gap)
    if ([long]$Held.lease.n -eq 0) { return '' }
    if ([string]$Held.lease.boot -ne $Boot) { return 'this host was started anew, and its lease was for the boot before' }
    if ($null -eq $Held.lease.until_s) { return '' }
    if ((Get-DtamTicks) -ge [double]$Held.lease.until_s) { return 'the lease ran out' }
    if ($Gap -gt 15) { return 'the host stood still while it held a lease' }
    ''
}

function Invoke-DtamLook {
    param([string] $Boot, [double] $Gap)
    foreach ($name in @(Get-DtamProtectionName)) {
        $held = Read-DtamProtection $name
        if (-not $held -or $held.lease_over -or -not (Test-DtamLease $held $Boot $Gap)) { continue }
        # stopping waits for nobody; what was renewed meanwhile is started again below
        $services = @($held.services)
        if ($services) { $services = @($services[($services.Count - 1)..0]) }
        $left = 0
        foreach ($service in $services) {
            try { Stop-DtamHard ([string]$service.unit) } catch { $left += 1 }
        }
        if ($left) { continue } # at the next look
        $lock = Lock-Dtam
        try {
            $held = Read-DtamProtection $name
            $why = Test-DtamLease $held $Boot $Gap
            if ($why) {
                $held.lease_over = $why
                Save-DtamProtection $held
            } else {
                Start-DtamWanted $held
            }
        } finally {
            $lock.Dispose()
        }
    }
}

$boot = Get-DtamBoot
$path = Join-Path -Path (Get-DtamRoot) -ChildPath 'guard.json'
$first = Get-DtamTicks
$last = $first
if (Test-Path -LiteralPath $path) {
    $said = Read-DtamText $path | ConvertFrom-Json
    if ([string]$said.boot -eq $boot) { $last = [double]$said.ticks }
}
while ($true) {
    $now = Get-DtamTicks
    try {
        Invoke-DtamLook $boot ($now - $last)
    } catch {
        Write-DtamText (Join-Path -Path (Get-DtamRoot) -ChildPath 'guard.error') ([string]$_.Exception.Message)
    }
    Write-DtamText $path (@{ boot = $boot; ticks = (Get-DtamTicks) } | ConvertTo-Json -Compress)
    $last = $now
    if ($Seconds -gt 0 -and $now - $first -ge $Seconds) { break }
    Start-Sleep -Seconds 1
}
