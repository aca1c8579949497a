<#
.SYNOPSIS
Runs one script of this folder with arguments, and remembers what became of a deed.
.DESCRIPTION
Each object that the script gives is one line of JSON. The last line is {"dtam": "end"}, so that a cut answer is seen as one.
A deed has an id: that it began, and later its whole answer, stand in ProgramData\dtam\calls. While it is at work it keeps the first file open. A request with "ask" runs nothing and tells
how the deed of that id stands: unknown, running, interrupted, or ended with its answer. So a deed whose answer was lost is never repeated.
.PARAMETER Request
What the loader read: id, deed, script, arguments; or ask.
#>
[CmdletBinding()]
param([Parameter(Mandatory = $true)] $Request)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
. (Join-Path -Path $PSScriptRoot -ChildPath 'state.ps1')

function Get-DtamCallPath {
    param([string] $Id, [string] $Ending)
    if ($Id -cnotmatch '^[0-9a-f]{32}$') { throw "$Id is not the id of a call" }
    Join-Path -Path (Get-DtamRoot) -ChildPath "calls\$Id.$Ending"
}

function Get-DtamCallState {
    param([string] $Id)
    if (Test-Path -LiteralPath (Get-DtamCallPath $Id 'ended')) { return 'ended' }
    $begun = Get-DtamCallPath $Id 'begun'
    if (-not (Test-Path -LiteralPath $begun)) { return 'unknown' }
    try {
        ([System.IO.File]::Open($begun, 'Open', 'Read', 'None')).Dispose()
    } catch [System.IO.IOException] {
        return 'running'
    }
    'interrupted'
}

function Remove-DtamOldCall {
    $old = (Get-Date).AddDays(-1)
    Get-ChildItem -LiteralPath (Join-Path -Path (Get-DtamRoot) -ChildPath 'calls') -File | Where-Object { $_.LastWriteTime -lt $old } |
        Remove-Item -Force -ErrorAction SilentlyContinue
}

function ConvertTo-DtamError {
    param($Record)
    $at = $Record.InvocationInfo
    @{
        dtam = 'error'
        message = [string]$Record.Exception.Message
        category = [string]$Record.CategoryInfo.Category
        id = [string]$Record.FullyQualifiedErrorId
        script = if ($at -and $at.ScriptName) { Split-Path -Path $at.ScriptName -Leaf } else { '' }
        line = if ($at) { $at.ScriptLineNumber } else { 0 }
    } | ConvertTo-Json -Compress
}

$end = @{ dtam = 'end' } | ConvertTo-Json -Compress
if ($Request.PSObject.Properties['ask']) {
    $state = Get-DtamCallState ([string]$Request.ask)
    @{ dtam = 'state'; state = $state } | ConvertTo-Json -Compress
    if ($state -eq 'ended') { Read-DtamText (Get-DtamCallPath ([string]$Request.ask) 'ended') } else { $end }
    return
}

$name = [string]$Request.script
if ($name -cnotmatch '^[a-z][a-z0-9_]*\.ps1$') { throw "$name is not the name of a script" }
$path = Join-Path -Path $PSScriptRoot -ChildPath $name
$arguments = @{}
foreach ($property in $Request.arguments.PSObject.Properties) { $arguments[$property.Name] = $property.Value }

if (-not $Request.deed) {
    & $path @arguments | ForEach-Object { ConvertTo-Json -InputObject $_ -Compress -Depth 12 }
    $end
    return
}

$id = [string]$Request.id
New-Item -ItemType Directory -Path (Join-Path -Path (Get-DtamRoot) -ChildPath 'calls') -Force | Out-Null
if ((Get-DtamCallState $id) -ne 'unknown') { throw "the call $id was made before" }
Remove-DtamOldCall
$begun = [System.IO.File]::Open((Get-DtamCallPath $id 'begun'), 'CreateNew', 'Write', 'None')
$lines = New-Object -TypeName System.Collections.ArrayList
try {
    & $path @arguments | ForEach-Object { $null = $lines.Add((ConvertTo-Json -InputObject $_ -Compress -Depth 12)) }
    $null = $lines.Add($end)
} catch {
    $null = $lines.Add((ConvertTo-DtamError $_))
}
Write-DtamText (Get-DtamCallPath $id 'ended') ($lines -join "`n")
$begun.Dispose()
$lines
