<#
.SYNOPSIS
How a group of Storage Replica stands on this server.
.DESCRIPTION
One object: group, role (source, destination or none), partner, left, replicas. Changes nothing.
Ages are seconds by this server's clock; a replica that never was in sync has none. left: this server left its partnership when
the source was gone, and its volumes live on their own (storage_replica_remove notes it).
.PARAMETER group
The group of Storage Replica on this server.
.PARAMETER volumes
The volumes of data here, such as E:.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)][string]$group,
    [string[]]$volumes = @()
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

$mark = Join-Path -Path $env:ProgramData -ChildPath "dtam\storage_replica\$group.left"
$answer = [ordered]@{
    group    = ''
    role     = 'none'
    partner  = ''
    left     = (Test-Path -LiteralPath $mark)
    replicas = @()
}
$held = @(Get-SRGroup -ErrorAction Stop | Where-Object { $_.Name -eq $group })
if ($held.Count -gt 0) {
    $answer['group'] = $group
    $now = Get-Date
    $replicas = @()
    foreach ($one in @($held[0].Replicas)) {
        $age = $null
        if ($null -ne $one.LastInSyncTime) {
            $age = [math]::Max(0, [math]::Round(($now - $one.LastInSyncTime).TotalSeconds, 1))
        }
        $replicas += [ordered]@{
            volume          = [string]$one.DataVolume
            status          = [string]$one.ReplicationStatus
            mode            = [string]$one.ReplicationMode
            size_bytes      = [long]$one.PartitionSize
            bytes_remaining = [long]$one.NumOfBytesRemaining
            in_sync_age_s   = $age
        }
    }
    $answer['replicas'] = @($replicas)
    foreach ($one in @(Get-SRPartnership -ErrorAction Stop)) {
        if (($one.SourceRGName -eq $group) -and ($one.SourceComputerName.Split('.')[0] -eq $env:COMPUTERNAME)) {
            $answer['role'] = 'source'
            $answer['partner'] = [string]$one.DestinationComputerName
        }
        if (($one.DestinationRGName -eq $group) -and ($one.DestinationComputerName.Split('.')[0] -eq $env:COMPUTERNAME)) {
            $answer['role'] = 'destination'
            $answer['partner'] = [string]$one.SourceComputerName
        }
    }
}
[pscustomobject]$answer
