<#
.SYNOPSIS
This host has no part in a protection any more; its run files are kept beside.
.PARAMETER Protection
Its id.
.OUTPUTS
{"changed": true | false}
#>
[CmdletBinding(SupportsShouldProcess = $true)]
param([Parameter(Mandatory = $true)] [string] $Protection)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
. (Join-Path -Path $PSScriptRoot -ChildPath 'state.ps1')

$folder = Get-DtamFolder $Protection
$lock = Lock-Dtam
try {
    $there = Test-Path -LiteralPath (Join-Path -Path $folder -ChildPath 'protection.json')
    if ($there -and $PSCmdlet.ShouldProcess($folder, 'forget the protection')) {
        foreach ($name in 'protection.json.old', 'protection.json', 'document.json', 'document.json.old', 'scripts', 'taken') {
            $path = Join-Path -Path $folder -ChildPath $name
            if (Test-Path -LiteralPath $path) { Remove-Item -LiteralPath $path -Recurse -Force }
        }
    }
    [pscustomobject]@{ changed = $there }
} finally {
    $lock.Dispose()
}
