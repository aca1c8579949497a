<#
.SYNOPSIS
Make this server the source of its partnership of Storage Replica.
.DESCRIPTION
Its volumes come up here, and those of the partner are dismounted. Windows refuses it while the first copy is under way. force: also
when the partner does not answer. What is so already is left as it is.
.PARAMETER group
The group of Storage Replica on this server.
.PARAMETER computer
This server's name.
.PARAMETER partner
The other server's name.
.PARAMETER partner_group
The group on the other server.
.PARAMETER force
Also when the partner does not answer.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)][string]$group,
    [Parameter(Mandatory = $true)][string]$computer,
    [Parameter(Mandatory = $true)][string]$partner,
    [Parameter(Mandatory = $true)][string]$partner_group,
    [bool]$force = $false
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

$held = @(Get-SRPartnership -ErrorAction Stop | Where-Object { $_.SourceRGName -eq $group })
if ($held.Count -eq 0) {
    Set-SRPartnership -NewSourceComputerName $computer -SourceRGName $group -DestinationComputerName $partner `
        -DestinationRGName $partner_group -Force:$force -Confirm:$false -ErrorAction Stop | Out-Null
}
[pscustomobject]@{ group = $group; source = $computer }
