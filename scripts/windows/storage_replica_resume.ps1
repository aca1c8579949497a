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

$null = Sync-SRGroup -Name $group -Force
[pscustomobject]@{ group = $group; suspended = $false }
