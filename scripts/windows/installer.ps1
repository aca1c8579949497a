<#
.SYNOPSIS
Lays the scripts below Program Files\dtam\bin, says what lies there, or takes it away.
.DESCRIPTION
This text is sent, never laid. One JSON request comes on standard input: {"computer", "deed": "look" | "lay" | "remove", "files": [{"name", "sha256", "base64"}]}.
The folder is for administrators alone to write; so is ProgramData\dtam, below which every user could make files otherwise; one that somebody filled before is refused. A file is written beside its place, checked, and then put there. Answers are JSON lines.
#>
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
try {
    [Console]::OutputEncoding = New-Object -TypeName System.Text.UTF8Encoding -ArgumentList $false
    $request = [Console]::In.ReadToEnd() | ConvertFrom-Json
    if ($request.computer -and [string]$request.computer -ne $env:COMPUTERNAME) { throw "dtam-another $env:COMPUTERNAME" }
    @{ computer = $env:COMPUTERNAME } | ConvertTo-Json -Compress
    $root = Join-Path -Path $env:ProgramFiles -ChildPath 'dtam'
    $bin = Join-Path -Path $root -ChildPath 'bin'
    $deed = [string]$request.deed
    if ($deed -eq 'lay') {
        $state = Join-Path -Path $env:ProgramData -ChildPath 'dtam'
        $there = Get-Item -LiteralPath $state -Force -ErrorAction SilentlyContinue
        if ($there -and [string]$there.Attributes -match 'ReparsePoint') { throw "$state leads elsewhere; remove it" }
        if ($there -and (Get-Acl -LiteralPath $state).Sddl -cnotmatch '^O:(BA|SY).*D:P' -and @(Get-ChildItem -LiteralPath $state -Force).Count -gt 0) {
            throw "$state is open to others and not empty, so what lies there is not to be trusted; look at it and remove it"
        }
        New-Item -ItemType Directory -Path $bin, $state -Force | Out-Null
        $null = icacls.exe $state /setowner '*S-1-5-32-544' /T /Q
        if ($LASTEXITCODE -ne 0) { throw "the owner of $state cannot be set" }
        $null = icacls.exe $state /inheritance:r /grant:r '*S-1-5-18:(OI)(CI)F' '*S-1-5-32-544:(OI)(CI)F' /Q
        if ($LASTEXITCODE -ne 0) { throw "$state cannot be closed to others than administrators" }
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
