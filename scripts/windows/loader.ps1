<#
.SYNOPSIS
Checks and calls one of the scripts below Program Files\dtam\bin.
.DESCRIPTION
This text is sent with every call and is always the same; it is never laid on a host. One JSON request comes on standard input:
{"computer", "files": [{"name", "sha256"}], ...}. A computer of another name does nothing. Each file must be there with that digest, else nothing runs. Then call.ps1 gets the request.
Answers are JSON lines on standard output; an error is the line {"dtam": "error", ...}.
#>
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$name = ''
try {
    [Console]::OutputEncoding = New-Object -TypeName System.Text.UTF8Encoding -ArgumentList $false
    $request = [Console]::In.ReadToEnd() | ConvertFrom-Json
    if ($request.computer -and [string]$request.computer -ne $env:COMPUTERNAME) { throw "dtam-another $env:COMPUTERNAME" }
    $bin = Join-Path -Path $env:ProgramFiles -ChildPath 'dtam\bin'
    foreach ($file in @($request.files)) {
        $name = [string]$file.name
        if ($name -cnotmatch '^[a-z][a-z0-9_]*\.ps1$') { throw 'that is not the name of a script' }
        $path = Join-Path -Path $bin -ChildPath $name
        if (-not (Test-Path -LiteralPath $path -PathType Leaf)) { throw 'dtam-missing' }
        $found = (Get-FileHash -LiteralPath $path -Algorithm SHA256).Hash
        if ($found -ne [string]$file.sha256) { throw "dtam-changed $found" }
    }
    $name = ''
    & (Join-Path -Path $bin -ChildPath 'call.ps1') -Request $request
    exit 0
} catch {
    $at = $_.InvocationInfo
    $of = if ($name) { $name } elseif ($at -and $at.ScriptName) { Split-Path -Path $at.ScriptName -Leaf } else { 'loader.ps1' }
    @{
        dtam = 'error'
        message = [string]$_.Exception.Message
        category = [string]$_.CategoryInfo.Category
        id = [string]$_.FullyQualifiedErrorId
        script = $of
        line = if ($at) { $at.ScriptLineNumber } else { 0 }
    } | ConvertTo-Json -Compress
    exit 1
}
