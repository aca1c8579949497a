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
    foreach ($turn in 1..50) {
        try {
            return [System.IO.File]::ReadAllText($Path)
        } catch [System.IO.FileNotFoundException] {
            throw
        } catch [System.IO.IOException] {
            if ($turn -eq 50) { throw }
            Start-Sleep -Milliseconds 40 # a writer is in the way
        }
    }
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
    foreach ($turn in 1..50) {
        try {
            if ([System.IO.File]::Exists($Path)) {
                [System.IO.File]::Replace($new, $Path, "$Path.old")
            } else {
                [System.IO.File]::Move($new, $Path)
            }
            return
        } catch [System.IO.IOException] {
            if ($turn -eq 50) { throw }
            Start-Sleep -Milliseconds 40 # a reader is in the way
        }
    }
}

function Get-DtamTicks {
    [double][System.Diagnostics.Stopwatch]::GetTimestamp() / [System.Diagnostics.Stopwatch]::Frequency
}

# An id of this boot, in a key of the registry that is not there after the next one, whatever clocks say.
function Get-DtamBoot {
    $check = [Microsoft.Win32.RegistryKeyPermissionCheck]::ReadWriteSubTree
    $key = [Microsoft.Win32.Registry]::LocalMachine.CreateSubKey('SOFTWARE\dtam-boot', $check, [Microsoft.Win32.RegistryOptions]::Volatile)
    try {
        if (-not $key.GetValue('id')) { $key.SetValue('id', [guid]::NewGuid().ToString('N')) }
        [string]$key.GetValue('id')
    } finally {
        $key.Dispose()
    }
}

function Get-DtamProtectionName {
    $folder = Join-Path -Path (Get-DtamRoot) -ChildPath 'protections'
    if (Test-Path -LiteralPath $folder) {
        foreach ($item in @(Get-ChildItem -LiteralPath $folder -Directory | Sort-Object -Property Name)) {
            $path = Join-Path -Path $item.FullName -ChildPath 'protection.json'
            if ((Test-Path -LiteralPath $path) -or (Test-Path -LiteralPath "$path.old")) { $item.Name }
        }
    }
}

function Read-DtamProtection {
    param([string] $Protection)
    $path = Join-Path -Path (Get-DtamFolder $Protection) -ChildPath 'protection.json'
    foreach ($one in $path, "$path.old") {
        # a power cut between the two moves of a replacement leaves the old one alone
        if (Test-Path -LiteralPath $one) { return (Read-DtamText $one | ConvertFrom-Json) }
    }
}

# Why its lease holds no more, by the clock of this very moment; nothing where there never was one.
function Get-DtamLeaseEnd {
    param($State)
    if ([long]$State.lease.n -eq 0) { return '' }
    if ([string]$State.lease.boot -ne (Get-DtamBoot)) { return 'this host was started anew, and its lease was for the boot before' }
    if ($null -ne $State.lease.until_s -and (Get-DtamTicks) -ge [double]$State.lease.until_s) { return 'the lease ran out' }
    ''
}

function Get-DtamReason {
    param($State)
    if ($State.fence) { return [string]$State.fence }
    if ([long]$State.held -ne [long]$State.epoch) { return "epoch $($State.epoch) is not held here" }
    if ($State.lease_over) { return [string]$State.lease_over }
    Get-DtamLeaseEnd $State
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
    if ([string](Get-Service -Name $Unit).Status -eq 'Running') { return }
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

# Remembers what runs and depends on the protected services, to be started with them.
function Add-DtamDependent {
    param($Held)
    $known = @($Held.dependents | Where-Object { $_ })
    foreach ($service in @($Held.services)) {
        $found = Get-Service -Name ([string]$service.unit) -ErrorAction SilentlyContinue
        if (-not $found) { continue }
        foreach ($other in @($found.DependentServices | Where-Object { [string]$_.Status -eq 'Running' })) {
            $name = [string]$other.Name
            if (@($known | Where-Object { $_.unit -eq $name }).Count -eq 0) {
                $known += [pscustomobject]@{ of = [string]$service.name; unit = $name }
            }
        }
    }
    $Held.dependents = @($known)
}

function Stop-DtamProtected {
    param($Held)
    $failed = ''
    $services = @($Held.services)
    if ($services) { $services = @($services[($services.Count - 1)..0]) }
    foreach ($service in $services) {
        try {
            Stop-DtamUnit ([string]$service.unit) (Get-DtamNumber $service 'grace_s' 30)
        } catch {
            $failed = [string]$_.Exception.Message # the others are stopped all the same
        }
    }
    if ($failed) { throw $failed }
}

# Starts a service with what depended on it and ran when it was stopped.
function Start-DtamService {
    param($Held, $Service)
    $name = [string]$Service.name
    Start-DtamUnit ([string]$Service.unit) (Get-DtamNumber $Service 'start_timeout_s' 60)
    foreach ($dependent in @($Held.dependents | Where-Object { $_ -and $_.of -eq $name })) {
        Start-DtamUnit ([string]$dependent.unit) 60
    }
    $Held.dependents = @($Held.dependents | Where-Object { $_ -and $_.of -ne $name })
    Save-DtamProtection $Held
}

function Start-DtamWanted {
    param($Held)
    if (Get-DtamReason $Held) { return }
    foreach ($service in @($Held.services | Where-Object { $_ -and @($Held.wanted) -contains $_.name })) { Start-DtamService $Held $service }
}
