#Requires -Version 5.1
<#
.SYNOPSIS
Hold a group of Storage Replica back until storage_replica_resume.
.DESCRIPTION
What is written meanwhile is noted and sent then.
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
