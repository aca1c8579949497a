<#
.SYNOPSIS
What the scheduled task of a run does: checks the script once more, runs it, and writes down how it ended.
.PARAMETER Protection
Its id.
.PARAMETER Name
The script's name, without ending.
.PARAMETER RunId
The run.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [string] $Protection,
    [Parameter(Mandatory = $true)] [ValidatePattern('^[a-z][a-z0-9_]*$')] [string] $Name,
    [Parameter(Mandatory = $true)] [ValidatePattern('^[A-Za-z0-9][A-Za-z0-9-]{0,79}$')] [string] $RunId
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
. (Join-Path -Path $PSScriptRoot -ChildPath 'state.ps1')

$folder = Get-DtamFolder $Protection
$script = Join-Path -Path $folder -ChildPath "scripts\$Name.ps1"
$begin = Join-Path -Path $folder -ChildPath "runs\$RunId.$Name"
Write-DtamText "$begin.begun" ([string](Get-DtamTicks))
$code = 70
$said = ''
try {
    $delivered = (Read-DtamText (Join-Path -Path $folder -ChildPath "scripts\$Name.sha256")).Trim()
    if ((Get-FileHash -LiteralPath $script -Algorithm SHA256).Hash -ne $delivered) { throw "the script $Name was changed on this host" }
    $ErrorActionPreference = 'Continue'
    $lines = @(& powershell.exe -NoProfile -NonInteractive -File $script -RequestFile "$begin.request.json" 2>&1)
    $code = $LASTEXITCODE
    $said = (@($lines | ForEach-Object { [string]$_ }) -join "`n")
} catch {
    $said = [string]$_.Exception.Message
}
Write-DtamText "$begin.ended" (@{ code = $code; output = $said } | ConvertTo-Json -Compress)
exit $code
