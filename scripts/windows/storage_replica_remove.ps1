<#
.SYNOPSIS
End a partnership of Storage Replica; both sides keep their data.
.DESCRIPTION
The partnership goes, then this server's group. alone: this server's part only, whatever the partner says, because that is gone or has
no part any more. left: note that the volumes live on their own here, because the source was gone. What is gone already is no error.
.PARAMETER group
The group of Storage Replica on this server.
.PARAMETER partner
The other server's name.
.PARAMETER partner_group
The group on the other server.
.PARAMETER alone
This server's part only, whatever the partner says.
.PARAMETER left
Note that the volumes live on their own here.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)][string]$group,
    [Parameter(Mandatory = $true)][string]$partner,
    [Parameter(Mandatory = $true)][string]$partner_group,
    [bool]$alone = $false,
    [bool]$left = $false
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

$folder = Join-Path -Path $env:ProgramData -ChildPath 'dtam\storage_replica'
$mark = Join-Path -Path $folder -ChildPath "$group.left"
$held = @(Get-SRPartnership -ErrorAction Stop | Where-Object { ($_.SourceRGName -eq $group) -or ($_.DestinationRGName -eq $group) })
foreach ($one in $held) {
    Remove-SRPartnership -SourceComputerName $one.SourceComputerName -SourceRGName $one.SourceRGName `
        -DestinationComputerName $one.DestinationComputerName -DestinationRGName $one.DestinationRGName `
        -IgnoreRemovalFailure:$alone -Force -Confirm:$false -ErrorAction Stop
}
if (@(Get-SRGroup -ErrorAction Stop | Where-Object { $_.Name -eq $group }).Count -gt 0) {
    Remove-SRGroup -Name $group -Force -Confirm:$false -ErrorAction Stop
}
if ($left) {
    if (-not (Test-Path -LiteralPath $folder)) { New-Item -ItemType Directory -Path $folder -Force | Out-Null }
    Set-Content -LiteralPath $mark -Value $partner -Encoding ASCII
} elseif (Test-Path -LiteralPath $mark) {
    Remove-Item -LiteralPath $mark -Force
}
[pscustomobject]@{ group = $group; removed = $true }
