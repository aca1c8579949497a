<#
.SYNOPSIS
How this host stands to its protections, with its own clock and the look of its guard.
.PARAMETER Protection
One of them; all when it is not given.
.PARAMETER WithDocument
The document's text, too.
.OUTPUTS
One object a protection: id, role, epoch, fenced, fence, held, monitor, lease_n, lease_giver, lease_remaining_s, boot, ticks_s, guard_s, document.
#>
[CmdletBinding()]
param([string] $Protection = '', [bool] $WithDocument = $false)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
. (Join-Path -Path $PSScriptRoot -ChildPath 'state.ps1')

$names = if ($Protection) { @($Protection) } else { @(Get-DtamProtectionName) }
$boot = Get-DtamBoot
$ticks = Get-DtamTicks
$looked = $null
$guard = Join-Path -Path (Get-DtamRoot) -ChildPath 'guard.json'
if (Test-Path -LiteralPath $guard) {
    $said = Read-DtamText $guard | ConvertFrom-Json
    if ([string]$said.boot -eq $boot) { $looked = $ticks - [double]$said.ticks }
}
foreach ($name in $names) {
    $held = Read-DtamProtection $name
    if (-not $held) { continue }
    $left = $null
    if ([string]$held.lease.boot -eq $boot -and $null -ne $held.lease.until_s) {
        $left = [math]::Max(0, [double]$held.lease.until_s - $ticks)
    }
    $document = Join-Path -Path (Get-DtamFolder $name) -ChildPath 'document.json'
    [pscustomobject]@{
        id = [string]$held.id
        role = [string]$held.role
        epoch = [long]$held.epoch
        held = [long]$held.held
        fence = [string]$held.fence
        fenced = Get-DtamReason $held
        monitor = [bool]$held.monitor
        lease_n = [long]$held.lease.n
        lease_giver = [string]$held.giver
        lease_remaining_s = $left
        boot = $boot
        ticks_s = $ticks
        guard_s = $looked
        document = if ($WithDocument) { Read-DtamText $document } else { $null }
    }
}
