<#
.SYNOPSIS
What this host keeps for dtam below ProgramData\dtam: words that other scripts share. By itself it does nothing.
.DESCRIPTION
A protection's folder holds protection.json (role, epoch, fence, lease, wanted services) and document.json (as dtam gave it).
A file is written beside its place, flushed to the disk, and put there whole, so that a power cut leaves the old one or the new one.
#>

function Get-DtamRoot { Join-Path -Path $env:ProgramData -ChildPath 'dtam' }

function Get-DtamFolder {
    param([string] $Protection)
    if ($Protection -cnotmatch '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$') { throw "$Protection is not the id of a protection" }
    Join-Path -Path (Get-DtamRoot) -ChildPath "protections\$Protection"
}

function Read-DtamText {
    param([string] $Path)
    [System.IO.File]::ReadAllText($Path)
}

function Write-DtamText {
    param([string] $Path, [string] $Text)
    Write-DtamBytes $Path ((New-Object -TypeName System.Text.UTF8Encoding -ArgumentList $false).GetBytes($Text))
}

function Write-DtamBytes {
    param([string] $Path, [byte[]] $Bytes)
    $new = "$Path.$PID.new"
    $stream = [System.IO.File]::Open($new, 'Create', 'Write', 'None')
    try {
        $stream.Write($Bytes, 0, $Bytes.Length)
        $stream.Flush($true)
    } finally {
        $stream.Dispose()
    }
    if ([System.IO.File]::Exists($Path)) {
        [System.IO.File]::Replace($new, $Path, "$Path.old")
    } else {
        [System.IO.File]::Move($new, $Path)
    }
}

function Get-DtamTicks {
    [double][System.Diagnostics.Stopwatch]::GetTimestamp() / [System.Diagnostics.Stopwatch]::Frequency
}

function Get-DtamBoot {
    $path = Join-Path -Path (Get-DtamRoot) -ChildPath 'boot.json'
    $now = Get-DtamTicks
    $up = (Get-CimInstance -ClassName Win32_OperatingSystem).LastBootUpTime
    $booted = [string]$up.ToUniversalTime().ToFileTimeUtc()
    if (Test-Path -LiteralPath $path) {
        $known = Read-DtamText $path | ConvertFrom-Json
        $moved = [math]::Abs(([double]$booted - [double]$known.booted) / 10000000)
        $latest = [double]$known.ticks
        $guard = Join-Path -Path (Get-DtamRoot) -ChildPath 'guard.json'
        if (Test-Path -LiteralPath $guard) {
            $said = Read-DtamText $guard | ConvertFrom-Json
            if ([string]$said.boot -eq [string]$known.id) { $latest = [math]::Max($latest, [double]$said.ticks) }
        }
        if ($now -ge $latest -and $moved -lt 60) { return [string]$known.id }
    }
    New-Item -ItemType Directory -Path (Get-DtamRoot) -Force | Out-Null
    $id = [guid]::NewGuid().ToString('N')
    Write-DtamText $path (@{ id = $id; ticks = $now; booted = $booted } | ConvertTo-Json -Compress)
    $id
}

function Get-DtamProtectionName {
    $folder = Join-Path -Path (Get-DtamRoot) -ChildPath 'protections'
    if (Test-Path -LiteralPath $folder) {
        foreach ($item in @(Get-ChildItem -LiteralPath $folder -Directory | Sort-Object -Property Name)) {
            if (Test-Path -LiteralPath (Join-Path -Path $item.FullName -ChildPath 'protection.json')) { $item.Name }
        }
    }
}

function Read-DtamProtection {
    param([string] $Protection)
    $path = Join-Path -Path (Get-DtamFolder $Protection) -ChildPath 'protection.json'
    if (Test-Path -LiteralPath $path) { Read-DtamText $path | ConvertFrom-Json }
}

function Get-DtamReason {
    param($State)
    if ($State.fence) { return [string]$State.fence }
    if ([long]$State.held -ne [long]$State.epoch) { return "epoch $($State.epoch) is not held here" }
    if ($State.lease_over) { return [string]$State.lease_over }
    ''
}

function Save-DtamProtection {
    param($State)
    $State.fenced = Get-DtamReason $State
    $path = Join-Path -Path (Get-DtamFolder ([string]$State.id)) -ChildPath 'protection.json'
    Write-DtamText $path (ConvertTo-Json -InputObject $State -Compress -Depth 8)
}

function Get-DtamHeld {
    param([string] $Protection)
    $state = Read-DtamProtection $Protection
    if (-not $state) { throw "this host has no part in protection $Protection" }
    $state
}

function Find-DtamService {
    param([string] $Name)
    foreach ($protection in @(Get-DtamProtectionName)) {
        $state = Read-DtamProtection $protection
        foreach ($service in @($state.services)) {
            if ($service.name -eq $Name) { return [pscustomobject]@{ state = $state; service = $service } }
        }
    }
}

function Lock-Dtam {
    New-Item -ItemType Directory -Path (Get-DtamRoot) -Force | Out-Null
    $path = Join-Path -Path (Get-DtamRoot) -ChildPath 'state.lock'
    foreach ($attempt in 1..200) {
        try {
            return [System.IO.File]::Open($path, 'OpenOrCreate', 'ReadWrite', 'None')
        } catch [System.IO.IOException] {
            Start-Sleep -Milliseconds 50
        }
    }
    throw "another script has held $path for ten seconds"
}

function Stop-DtamUnit {
    param([string] $Unit, [double] $Seconds)
    $service = Get-Service -Name $Unit -ErrorAction SilentlyContinue
    if (-not $service -or [string]$service.Status -eq 'Stopped') { return }
    Stop-Service -Name $Unit -Force -NoWait
    $until = (Get-DtamTicks) + $Seconds
    while ([string](Get-Service -Name $Unit).Status -ne 'Stopped') {
        if ((Get-DtamTicks) -gt $until) { throw "the service $Unit did not stop within $Seconds s" }
        Start-Sleep -Milliseconds 200
    }
}

function Start-DtamUnit {
    param([string] $Unit, [double] $Seconds)
    if ([string](Get-Service -Name $Unit).Status -eq 'Running') { return
}
    Start-Service -Name $Unit
    $until = (Get-DtamTicks) + $Seconds
    while ([string](Get-Service -Name $Unit).Status -ne 'Running') {
        if ((Get-DtamTicks) -gt $until) { throw "the service $Unit does not run after $Seconds s" }
        Start-Sleep -Milliseconds 200
    }
}

function Get-DtamNumber {
    param($Service, [string] $Name, [double] $Usual)
    $property = $Service.PSObject.Properties[$Name]
    if ($property -and $null -ne $property.Value) { [double]$property.Value } else { $Usual }
}

function Stop-DtamProtected {
    param($Held)
    $services = @($Held.services)
    if ($services) { $services = @($services[($services.Count - 1)..0]) }
    foreach ($service in $services) { Stop-DtamUnit ([string]$service.unit) (Get-DtamNumber $service 'grace_s' 30) }
}

function Start-DtamWanted {
    param($Held)
    if (Get-DtamReason $Held) { return
}
    foreach ($service in @($Held.services | Where-Object { $_ -and @($Held.wanted) -contains $_.name })) {
        Start-DtamUnit ([string]$service.unit) (Get-DtamNumber $service 'start_timeout_s' 60)
    }
}
