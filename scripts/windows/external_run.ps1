<#
.SYNOPSIS
Run a command of the user's own and give what it said.
.DESCRIPTION
For replication by a tool of somebody else's: the command says how the data stands, or is told of a failover. The first word is a program
or script by its full path, the others are its arguments, as they are. timeout_s is kept by the caller.
.PARAMETER command
A program by its full path, and its arguments.
.PARAMETER timeout_s
Kept by the caller, in seconds.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)][string[]]$command,
    [double]$timeout_s = 30
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

$program = $command[0]
$words = @()
if ($command.Count -gt 1) { $words = @($command[1..($command.Count - 1)]) }
if (-not (Test-Path -LiteralPath $program)) { throw "there is no program $program on this server" }
$global:LASTEXITCODE = 0
$said = @(& $program @words)
[pscustomobject]@{ code = [int]$LASTEXITCODE; stdout = ($said -join "`n"); stderr = '' }
