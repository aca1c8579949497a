<#
.SYNOPSIS
Says how much came on standard input, and gives as much back. Changes nothing.
.DESCRIPTION
This text is sent by dtam doctor, never laid. The request is {"filler": TEXT}. Answers are JSON lines.
#>
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
[Console]::OutputEncoding = New-Object -TypeName System.Text.UTF8Encoding -ArgumentList $false
$request = [Console]::In.ReadToEnd() | ConvertFrom-Json
@{ part = 'echo'; length = ([string]$request.filler).Length; filler = [string]$request.filler } | ConvertTo-Json -Compress
@{ dtam = 'end' } | ConvertTo-Json -Compress
