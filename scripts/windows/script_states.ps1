<#
.SYNOPSIS
The scripts of a protection on this host: whether each is as it was delivered, and the bytes of one.
.PARAMETER Protection
Its id.
.PARAMETER Text
The name of the script whose bytes are wanted.
.OUTPUTS
One object a script: name, changed, base64.
#>
[CmdletBinding()]
param([Parameter(Mandatory = $true)] [string] $Protection, [string] $Text = '')
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
. (Join-Path -Path $PSScriptRoot -ChildPath 'state.ps1')

$folder = Join-Path -Path (Get-DtamFolder $Protection) -ChildPath 'scripts'
if (-not (Test-Path -LiteralPath $folder)) { return }
foreach ($item in @(Get-ChildItem -LiteralPath $folder -File | Where-Object { $_.Name -like '*.ps1' })) {
    $name = [System.IO.Path]::GetFileNameWithoutExtension($item.Name)
    $note = Join-Path -Path $folder -ChildPath "$name.sha256"
    $delivered = if (Test-Path -LiteralPath $note) { (Read-DtamText $note).Trim() } else { '' }
    [pscustomobject]@{
        name = $name
        changed = (Get-FileHash -LiteralPath $item.FullName -Algorithm SHA256).Hash -ne $delivered
        base64 = if ($name -eq $Text) { [Convert]::ToBase64String([System.IO.File]::ReadAllBytes($item.FullName)) } else { $null }
    }
}
