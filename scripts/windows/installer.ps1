<#
.SYNOPSIS
Lays the scripts below Program Files\dtam\bin, says what lies there, or takes it away.
.DESCRIPTION
This text is sent, never laid. One JSON request comes on standard input: {"deed": "look" | "lay" | "remove", "files": [{"name", "sha256", "base64"}]}.
The folder is for administrators alone to write. A file is written beside its place, checked, and then put there. Answers are JSON lines.
#>
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
try {
    [Console]::OutputEncoding = New-Object -TypeName System.Text.UTF8Encoding -ArgumentList $false
    $request = [Console]::In.ReadToEnd() | ConvertFrom-Json
    $root = Join-Path -Path $env:ProgramFiles -ChildPath 'dtam'
    $bin = Join-Path -Path $root -ChildPath 'bin'
    $deed = [string]$request.deed
    if ($deed -eq 'lay') {
        New-Item -ItemType Directory -Path $bin -Force | Out-Null
        foreach ($file in @($request.files)) {
            $name = [string]$file.name
            if ($name -cnotmatch '^[a-z][a-z0-9_]*\.ps1$') { throw "$name is not the name of a script" }
            $path = Join-Path -Path $bin -ChildPath $name
            $new = "$path.new"
            [System.IO.File]::WriteAllBytes($new, [Convert]::FromBase64String([string]$file.base64))
            $found = (Get-FileHash -LiteralPath $new -Algorithm SHA256).Hash
            if ($found -ne [string]$file.sha256) { throw "$name did not arrive whole" }
            Move-Item -LiteralPath $new -Destination $path -Force
        }
    }
    if (Test-Path -LiteralPath $bin -PathType Container) {
        foreach ($item in @(Get-ChildItem -LiteralPath $bin -File)) {
            @{ name = $item.Name; sha256 = (Get-FileHash -LiteralPath $item.FullName -Algorithm SHA256).Hash } | ConvertTo-Json -Compress
        }
        if ($deed -eq 'remove') { Remove-Item -LiteralPath $root -Recurse -Force }
    }
    @{ dtam = 'end' } | ConvertTo-Json -Compress
    exit 0
} catch {
    @{
        dtam = 'error'
        message = [string]$_.Exception.Message
        category = [string]$_.CategoryInfo.Category
        id = [string]$_.FullyQualifiedErrorId
        script = 'installer.ps1'
        line = $_.InvocationInfo.ScriptLineNumber
    } | ConvertTo-Json -Compress
    exit 1
}
