<#
.SYNOPSIS
The language mode and the version of Windows PowerShell. Changes nothing.
.DESCRIPTION
This text is sent by dtam doctor, never laid; it keeps to what the constrained language allows. Answers are JSON lines.
#>
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
@{ part = 'mode'; language = "$($ExecutionContext.SessionState.LanguageMode)"; version = "$($PSVersionTable.PSVersion)" } | ConvertTo-Json -Compress
@{ dtam = 'end' } | ConvertTo-Json -Compress
