<#
.SYNOPSIS
Makes a directory with its parents; one that is there is left as it is.
.PARAMETER Path
The full path.
.OUTPUTS
{"changed": true | false}
#>
[CmdletBinding(SupportsShouldProcess = $true)]
param([Parameter(Mandatory = $true)] [string] $Path)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$there = Test-Path -LiteralPath $Path -PathType Container
if (-not $there -and $PSCmdlet.ShouldProcess($Path, 'make the directory')) {
    New-Item -ItemType Directory -Path $Path -Force | Out-Null
}
[pscustomobject]@{ changed = -not $there }
