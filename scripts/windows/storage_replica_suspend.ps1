<#
.SYNOPSIS
Hold a group of Storage Replica back until storage_replica_resume.
.DESCRIPTION
What is written meanwhile is noted and sent then.
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

Suspend-SRGroup -Name $group -Force -Confirm:$false -ErrorAction Stop
[pscustomobject]@{ group = $group; suspended = $true }
