<#
.SYNOPSIS
Keeps the document of a protection on this host; one with an older epoch is refused, and so is a service that another protection has.
.PARAMETER Protection
Its id.
.PARAMETER Role
source or target.
.PARAMETER Epoch
The document's.
.PARAMETER Services
The protected services: name, unit, timeouts.
.PARAMETER Document
The whole document as text; it is kept as it is, and nothing in it is run.
.OUTPUTS
{"changed": true}
#>
[CmdletBinding(SupportsShouldProcess = $true)]
param(
    [Parameter(Mandatory = $true)] [string] $Protection,
    [Parameter(Mandatory = $true)] [ValidateSet('source', 'target')] [string] $Role,
    [Parameter(Mandatory = $true)] [long] $Epoch,
    $Services = @(),
    [Parameter(Mandatory = $true)] [string] $Document
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
. (Join-Path -Path $PSScriptRoot -ChildPath 'state.ps1')

$folder = Get-DtamFolder $Protection
$lock = Lock-Dtam
try {
    foreach ($name in @(Get-DtamProtectionName | Where-Object { $_ -ne $Protection })) {
        foreach ($other in @((Get-DtamHeld $name).services | Where-Object { $_ })) {
            foreach ($service in @($Services | Where-Object { $_ })) {
                if ([string]$service.unit -ne [string]$other.unit -and [string]$service.name -ne [string]$other.name) { continue }
                throw "the service $($service.name) ($($service.unit)) belongs to protection $name on this host already: it can be fenced for one only"
            }
        }
    }
    $held = Read-DtamProtection $Protection
    if ($held -and $Epoch -lt [long]$held.epoch) {
        throw "the document of $Protection is of epoch $Epoch, and this host knows epoch $($held.epoch)"
    }
    if (-not $held) {
        $held = [pscustomobject]@{
            id = $Protection; role = $Role; epoch = $Epoch; held = 0; fence = ''; fenced = ''; lease_over = ''; giver = ''; monitor = $false
            lease = [pscustomobject]@{ n = 0; boot = ''; until_s = $null }; services = @(); wanted = @(); dependents = @()
        }
    }
    if ($PSCmdlet.ShouldProcess($folder, 'keep the document')) {
        New-Item -ItemType Directory -Path (Join-Path -Path $folder -ChildPath 'scripts') -Force | Out-Null
        New-Item -ItemType Directory -Path (Join-Path -Path $folder -ChildPath 'runs') -Force | Out-Null
        $held.role = $Role
        $held.epoch = $Epoch
        $held.services = @($Services)
        Write-DtamText (Join-Path -Path $folder -ChildPath 'document.json') $Document
        Save-DtamProtection $held
    }
    [pscustomobject]@{ changed = $true }
} finally {
    $lock.Dispose()
}
