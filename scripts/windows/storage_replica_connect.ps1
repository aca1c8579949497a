<#
.SYNOPSIS
Replicate volumes of this server to its partner by Storage Replica.
.DESCRIPTION
Makes a group of volumes on each side and the partnership between them; this server is the source. A partnership that is there
already is left as it is. The partner's volumes are overwritten and dismounted.
.PARAMETER group
The group of Storage Replica on this server.
.PARAMETER computer
This server's name.
.PARAMETER partner
The other server's name.
.PARAMETER partner_group
The group on the other server.
.PARAMETER volumes
The volumes of data here, such as E:.
.PARAMETER log_volume
The volume of the log here.
.PARAMETER partner_volumes
The volumes of data on the other server, in the same order.
.PARAMETER partner_log_volume
The volume of the log on the other server.
.PARAMETER log_size_bytes
How large each log is, in bytes.
.PARAMETER mode
Synchronous or Asynchronous.
.PARAMETER recovery_point_s
How old an asynchronous replica may become before Storage Replica says so, in seconds.
.PARAMETER seeded
The partner's volumes are copies already.
.PARAMETER consistency
Writes keep their order over all volumes of the group.
.PARAMETER encryption
What travels is encrypted.
.PARAMETER compression
What travels is compressed.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)][string]$group,
    [Parameter(Mandatory = $true)][string]$computer,
    [Parameter(Mandatory = $true)][string]$partner,
    [Parameter(Mandatory = $true)][string]$partner_group,
    [Parameter(Mandatory = $true)][string[]]$volumes,
    [Parameter(Mandatory = $true)][string]$log_volume,
    [Parameter(Mandatory = $true)][string[]]$partner_volumes,
    [Parameter(Mandatory = $true)][string]$partner_log_volume,
    [Parameter(Mandatory = $true)][long]$log_size_bytes,
    [Parameter(Mandatory = $true)][ValidateSet('Synchronous', 'Asynchronous')][string]$mode,
    [int]$recovery_point_s = 30,
    [bool]$seeded = $false,
    [bool]$consistency = $false,
    [bool]$encryption = $false,
    [bool]$compression = $false
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

$held = @(Get-SRPartnership -ErrorAction Stop | Where-Object { ($_.SourceRGName -eq $group) -and ($_.DestinationRGName -eq $partner_group) })
if ($held.Count -eq 0) {
    New-SRPartnership -SourceComputerName $computer -SourceRGName $group -SourceVolumeName $volumes -SourceLogVolumeName $log_volume `
        -DestinationComputerName $partner -DestinationRGName $partner_group -DestinationVolumeName $partner_volumes `
        -DestinationLogVolumeName $partner_log_volume -LogSizeInBytes $log_size_bytes -ReplicationMode $mode -Seeded:$seeded `
        -EnableConsistencyGroups:$consistency -EnableEncryption:$encryption -Force -ErrorAction Stop | Out-Null
}
if ($mode -eq 'Asynchronous') {
    Set-SRPartnership -SourceComputerName $computer -SourceRGName $group -DestinationComputerName $partner `
        -DestinationRGName $partner_group -AsyncRPO $recovery_point_s -Confirm:$false -ErrorAction Stop | Out-Null
}
if ($compression) {
    Set-SRPartnership -SourceComputerName $computer -SourceRGName $group -DestinationComputerName $partner `
        -DestinationRGName $partner_group -Compression $true -Confirm:$false -ErrorAction Stop | Out-Null
}
$mark = Join-Path -Path $env:ProgramData -ChildPath "dtam\storage_replica\$group.left"
if (Test-Path -LiteralPath $mark) { Remove-Item -LiteralPath $mark -Force }
[pscustomobject]@{ group = $group; partner = $partner }
