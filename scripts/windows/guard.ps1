<#
.SYNOPSIS
Stops the protected services of this host when a lease runs out, and keeps them stopped after a boot until there is a new one.
.DESCRIPTION
A scheduled task of the system's own account starts it with the host and once a minute where it does not run. It looks every second. While
a lease with an end is held and two of its looks lie more than 15 seconds apart, the host stood still: it stops first.
What may not run, because of a fence or an ended lease, is stopped at every look, whoever started it.
A protection that never had a lease and has no fence is left alone, and so is one whose target this host is again. One that cannot be read keeps no other from being looked at.
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
        $found = Get-CimInstance -ClassName Win32_Service -Filter "Name='$($Unit.Replace("'", "\'"))'"
        if ($found -and $found.ProcessId) { Stop-Process -Id $found.ProcessId -Force }
    }
}

function Get-DtamGuardReason {
    param($Held, [double] $Gap)
    if ($Held.fence) { return [string]$Held.fence }
    if ([string]$Held.role -eq 'target' -and [long]$Held.held -ne [long]$Held.epoch) { return '' } # it has nothing to serve with
    if ($Held.lease_over) { return [string]$Held.lease_over }
    $why = Get-DtamLeaseEnd $Held
    if ($why) { return $why }
    if ([long]$Held.lease.n -ne 0 -and $null -ne $Held.lease.until_s -and $Gap -gt 15) { return 'the host stood still while it held a lease' }
    ''
}

function Invoke-DtamLook {
    param([string] $Name, [double] $Gap)
    $held = Read-DtamProtection $Name
    if (-not $held -or -not (Get-DtamGuardReason $held $Gap)) { return }
    $running = @()
    foreach ($service in @($held.services | Where-Object { $_ })) {
        $found = Get-Service -Name ([string]$service.unit) -ErrorAction SilentlyContinue
        if ($found -and [string]$found.Status -ne 'Stopped') { $running = @([string]$service.unit) + $running }
    }
    if ($held.fence) {
        # whoever closed it waits for the services; here they only hear it again
        foreach ($unit in $running) { Stop-Service -Name $unit -Force -NoWait -ErrorAction SilentlyContinue }
        if ((Read-DtamProtection $Name).fence) { return }
    } elseif ($running.Count -eq 0 -and $held.lease_over) {
        return
    }
    # stopping waits for nobody; what was renewed meanwhile is started again below
    Add-DtamDependent $held
    if (-not $held.fence) {
        foreach ($unit in $running) {
            try { Stop-DtamHard $unit } catch { Write-Verbose -Message "$unit is stopped at the next look" }
        }
    }
    $dependents = $held.dependents
    $lock = Lock-Dtam
    try {
        $held = Read-DtamProtection $Name
        $held.dependents = $dependents
        $why = Get-DtamGuardReason $held $Gap
        if (-not $why) {
            Start-DtamWanted $held
        } else {
            if (-not $held.fence) { $held.lease_over = $why }
            Save-DtamProtection $held
        }
    } finally {
        $lock.Dispose()
    }
}

$path = Join-Path -Path (Get-DtamRoot) -ChildPath 'guard.json'
$first = Get-DtamTicks
$last = $first
if (Test-Path -LiteralPath $path) {
    try {
        $said = Read-DtamText $path | ConvertFrom-Json
        if ([string]$said.boot -eq (Get-DtamBoot)) { $last = [double]$said.ticks }
    } catch {
        Write-Verbose -Message 'the last look is not known'
    }
}
$looked = @{}
foreach ($name in @(Get-DtamProtectionName)) { $looked[$name] = $last }
while ($true) {
    $now = Get-DtamTicks
    $next = @{}
    $wrong = ''
    try {
        foreach ($name in @(Get-DtamProtectionName)) {
            $before = if ($looked.ContainsKey($name)) { $looked[$name] } else { $now }
            $next[$name] = $before
            try {
                Invoke-DtamLook $name ($now - $before)
                $next[$name] = $now
            } catch {
                $wrong = "${name}: $($_.Exception.Message)"
            }
        }
        if ($wrong) {
            Write-DtamText (Join-Path -Path (Get-DtamRoot) -ChildPath 'guard.error') $wrong
        } else {
            Write-DtamText $path (@{ boot = (Get-DtamBoot); ticks = (Get-DtamTicks) } | ConvertTo-Json -Compress)
        }
    } catch {
        Write-Verbose -Message 'nothing can be written; the next look tries again'
    }
    $looked = $next
    if ($Seconds -gt 0 -and $now - $first -ge $Seconds) { break }
    Start-Sleep -Seconds 1
}
