<#
.SYNOPSIS
Closes and opens the fence of a protection on this host, takes an epoch, renews its lease, notes whether it is watched.
.DESCRIPTION
fence: the protected services are stopped, in reverse order, and stay so until unfence or set_epoch; after a power cut, too.
set_epoch: this host may serve at that epoch; what was wanted runs again. An older epoch is refused.
renew_lease: the host may serve until that time of its own clock (seconds since its boot); null: while this boot lasts. Refused when it
is for another boot or epoch, older than the newest, of another giver than the first since the epoch was taken, or the fence is closed.
It starts again what the guard stopped.
.PARAMETER Protection
Its id.
.PARAMETER Action
fence, unfence, set_epoch, renew_lease, enable_monitor or disable_monitor.
.PARAMETER Reason
Why the fence is closed.
.PARAMETER Epoch
The epoch that is taken, or that of the lease.
.PARAMETER Number
The lease's: greater than all before.
.PARAMETER Boot
The boot that the lease is for.
.PARAMETER Giver
Whose lease it is: a host listens to one.
.PARAMETER UntilSeconds
When it runs out; not given: never while this boot lasts.
.OUTPUTS
{"changed": true}
#>
[CmdletBinding(SupportsShouldProcess = $true)]
param(
    [Parameter(Mandatory = $true)] [string] $Protection,
    [Parameter(Mandatory = $true)]
    [ValidateSet('fence', 'unfence', 'set_epoch', 'renew_lease', 'enable_monitor', 'disable_monitor')] [string] $Action,
    [string] $Reason = '',
    [long] $Epoch = 0,
    [long] $Number = 0,
    [string] $Boot = '',
    [string] $Giver = '',
    $UntilSeconds = $null
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
. (Join-Path -Path $PSScriptRoot -ChildPath 'state.ps1')

$lock = Lock-Dtam
try {
    $held = Get-DtamHeld $Protection
    if (-not $PSCmdlet.ShouldProcess($Protection, $Action)) { return }
    switch ($Action) {
        'fence' {
            Add-DtamDependent $held
            $held.fence = if ($Reason) { $Reason } else { 'fenced' }
            Save-DtamProtection $held
            Stop-DtamProtected $held
        }
        'unfence' {
            $held.fence = ''
            Save-DtamProtection $held
        }
        'set_epoch' {
            if ($Epoch -lt [long]$held.epoch) { throw "epoch $Epoch is older than epoch $($held.epoch), which this host knows" }
            $held.epoch = $Epoch
            $held.held = $Epoch
            $held.fence = ''
            $held.giver = ''
            Save-DtamProtection $held
            Start-DtamWanted $held
        }
        'renew_lease' {
            if ($held.fence) { throw "the lease is not renewed: $($held.fence)" }
            if ($Epoch -ne [long]$held.epoch) { throw "a lease of epoch $Epoch, and this host is at epoch $($held.epoch)" }
            if ($Boot -ne (Get-DtamBoot)) { throw 'the lease is for another boot of this host' }
            if ($held.giver -and $Giver -ne [string]$held.giver) { throw 'another dtam gives this host its leases' }
            if ($Number -le [long]$held.lease.n) { throw "lease $Number is not newer than $($held.lease.n)" }
            if ($null -ne $UntilSeconds -and (Get-DtamTicks) -ge [double]$UntilSeconds) { throw 'the lease had run out before it came' }
            $held.lease = [pscustomobject]@{ n = $Number; boot = $Boot; until_s = $UntilSeconds }
            $held.lease_over = ''
            $held.giver = $Giver
            Save-DtamProtection $held
            Start-DtamWanted $held
        }
        'enable_monitor' {
            $held.monitor = $true
            Save-DtamProtection $held
        }
        'disable_monitor' {
            $held.monitor = $false
            Save-DtamProtection $held
        }
    }
    [pscustomobject]@{ changed = $true }
} finally {
    $lock.Dispose()
}
