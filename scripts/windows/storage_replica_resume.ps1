#Requires -Version 5.1
<#
.SYNOPSIS
Let a group of Storage Replica go on.
.DESCRIPTION
What was written meanwhile is sent.
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
