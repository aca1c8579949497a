<#
.SYNOPSIS
Let a group of Storage Replica go on.
.DESCRIPTION
What was written meanwhile is sent.
.PARAMETER group
The group of Storage Replica on this server.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)][string]$group
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

Sync-SRGroup -Name $group -Force -ErrorAction Stop | Out-Null
[pscustomobject]@{ group = $group; suspended = $false }
