<#
.SYNOPSIS
How a run stands: running, done, failed or interrupted, with the lines of its run file.
.PARAMETER RunId
The run.
.PARAMETER Name
The script's name, without ending.
.OUTPUTS
Nothing when this host does not know it; else {"state", "code", "output", "lines": [text]}.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [ValidatePattern('^[A-Za-z0-9][A-Za-z0-9-]{0,79}$')] [string] $RunId,
    [Parameter(Mandatory = $true)] [ValidatePattern('^[a-z][a-z0-9_]*$')] [string] $Name
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
. (Join-Path -Path $PSScriptRoot -ChildPath 'state.ps1')

$task = "$RunId.$Name"
$root = Join-Path -Path (Get-DtamRoot) -ChildPath 'protections'
if (-not (Test-Path -LiteralPath $root)) { return }
foreach ($folder in @(Get-ChildItem -LiteralPath $root -Directory)) {
    $begin = Join-Path -Path $folder.FullName -ChildPath "runs\$task"
    if (-not (Test-Path -LiteralPath "$begin.request.json")) { continue }
    $lines = @()
    if (Test-Path -LiteralPath "$begin.jsonl") { $lines = @((Read-DtamText "$begin.jsonl") -split "\r?\n") }
    $state = 'interrupted'
    $code = $null
    $output = ''
    if (Test-Path -LiteralPath "$begin.ended") {
        $ended = Read-DtamText "$begin.ended" | ConvertFrom-Json
        $code = [int]$ended.code
        $output = [string]$ended.output
        $state = if ($code -eq 0) { 'done' } else { 'failed' }
    } else {
        $known = Get-ScheduledTask -TaskPath '\dtam\' -TaskName $task -ErrorAction SilentlyContinue
        $since = (Get-DtamTicks) - [double](Read-DtamText "$begin.asked")
        $waits = -not (Test-Path -LiteralPath "$begin.begun") -and $since -ge 0 -and $since -lt 60
        if ($known -and (@('Running', 'Queued') -contains [string]$known.State -or $waits)) { $state = 'running' }
    }
    [pscustomobject]@{ state = $state; code = $code; output = $output; lines = $lines }
    return
}
