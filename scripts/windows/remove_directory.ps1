<#
.SYNOPSIS
Removes an empty directory; one that is not empty, or not there, is left as it is.
.PARAMETER Path
The full path.
.OUTPUTS
{"changed": true | false}
#>
[CmdletBinding(SupportsShouldProcess = $true)]
param([Parameter(Mandatory = $true)] [string] $Path)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$goes = (Test-Path -LiteralPath $Path -PathType Container) -and @(Get-ChildItem -LiteralPath $Path -Force).Count -eq 0
if ($goes -and $PSCmdlet.ShouldProcess($Path, 'remove the empty directory')) {
    Remove-Item -LiteralPath $Path
}
[pscustomobject]@{ changed = $goes }
