<#
.SYNOPSIS
Puts a protection's script on this host, byte by byte as it was made, and notes its digest.
.PARAMETER Protection
Its id.
.PARAMETER Name
The script's name, without ending.
.PARAMETER Base64
Its bytes. PowerShell never reads them here.
.PARAMETER Sha256
The digest that the bytes must have.
.OUTPUTS
{"changed": true | false}
#>
[CmdletBinding(SupportsShouldProcess = $true)]
param(
    [Parameter(Mandatory = $true)] [string] $Protection,
    [Parameter(Mandatory = $true)] [ValidatePattern('^[a-z][a-z0-9_]*$')] [string] $Name,
    [Parameter(Mandatory = $true)] [string] $Base64,
    [Parameter(Mandatory = $true)] [string] $Sha256
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
. (Join-Path -Path $PSScriptRoot -ChildPath 'state.ps1')

$null = Get-DtamHeld $Protection
$folder = Join-Path -Path (Get-DtamFolder $Protection) -ChildPath 'scripts'
$path = Join-Path -Path $folder -ChildPath "$Name.ps1"
$note = Join-Path -Path $folder -ChildPath "$Name.sha256"
$same = (Test-Path -LiteralPath $path) -and (Get-FileHash -LiteralPath $path -Algorithm SHA256).Hash -eq $Sha256
if ($PSCmdlet.ShouldProcess($path, 'deliver the script')) {
    New-Item -ItemType Directory -Path $folder -Force | Out-Null
    if (-not $same) { Write-DtamBytes $path ([Convert]::FromBase64String($Base64)) }
    if ((Get-FileHash -LiteralPath $path -Algorithm SHA256).Hash -ne $Sha256) { throw "$Name did not arrive whole" }
    Write-DtamText $note $Sha256
}
[pscustomobject]@{ changed = -not $same }
