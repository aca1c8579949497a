# --- services: waited for; what depends on one is named before it is stopped, and started again with it
# The service of exactly that name: -Name of the cmdlets would read it as a pattern. Others that cannot be seen are no matter.
function Get-OneService {
    param([string]$Name)

    $found = @(Get-Service -ErrorAction SilentlyContinue | Where-Object { $_.Name -eq $Name })
    if ($found.Count -eq 0) {
        throw "there is no service $Name on this server"
    }
    $found[0]
}

function Wait-ServiceState {
    param([string]$Name, [string]$State, [double]$Seconds)

    $end = [datetime]::UtcNow.AddSeconds($Seconds)
    while (-not (Test-ServiceState -Name $Name -State $State)) {
        if ([datetime]::UtcNow -ge $end) {
            throw "service $Name is $((Get-OneService -Name $Name).Status) after $Seconds s, not $State"
        }
        Start-Sleep -Milliseconds 200
    }
}

function Test-ServiceState {
    param([string]$Name, [string]$State)

    (Get-OneService -Name $Name).Status -eq $State
}

function Start-AndWait {
    param([string]$Name, [double]$Seconds)

    if (-not (Test-ServiceState -Name $Name -State 'Running')) {
        Start-Service -InputObject (Get-OneService -Name $Name) -WarningAction SilentlyContinue
        Wait-ServiceState -Name $Name -State 'Running' -Seconds $Seconds
    }
}

function Get-RunningDependent {
    param([string]$Name)

    (Get-OneService -Name $Name).DependentServices | Where-Object { $_.Status -ne 'Stopped' } | ForEach-Object { $_.Name }
}

# Stop a service and what depends on it, whose names are on disk first.
function Stop-AndWait {
    param([string]$Name, [double]$Seconds, [string]$What)

    $dependents = @(Get-RunningDependent -Name $Name)
    Add-Taken -What $What -Value ([ordered]@{ kind = 'stopping'; service = $Name; dependents = $dependents })
    Stop-Service -InputObject (Get-OneService -Name $Name) -Force -WarningAction SilentlyContinue
    Wait-ServiceState -Name $Name -State 'Stopped' -Seconds $Seconds
}

# What was stopped for WHAT since it was last put right: the dependents of the lines "stopping" after the last "restarted".
function Get-StoppedDependent {
    param([string]$What)

    $names = @()
    foreach ($line in @(Get-Taken -What $What)) {
        if ($line.kind -eq 'stopping') {
            $names += @($line.dependents)
        } elseif ($line.kind -eq 'restarted') {
            $names = @()
        }
    }
    $names | Sort-Object -Unique
}

# Start a service and those that depended on it when it was stopped for WHAT.
function Start-WithDependent {
    param([string]$Name, [double]$Seconds, [string]$What)

    Start-AndWait -Name $Name -Seconds $Seconds
    foreach ($dependent in @(Get-StoppedDependent -What $What)) {
        Start-AndWait -Name $dependent -Seconds $Seconds
    }
}

# A script that dtam installed on this server.
function Get-InstalledPath {
    param([string]$File)

    [System.IO.Path]::Combine($env:ProgramFiles, 'dtam', 'bin', $File)
}

# What this server keeps about the protection's services, where its installed scripts can be asked; nothing elsewhere.
function Get-Kept {
    $kept = Read-Kept
    if ($kept -and [System.IO.File]::Exists((Get-InstalledPath -File 'start_service.ps1'))) {
        ConvertFrom-Json -InputObject $kept | Select-Object -Property @('services', 'wanted')
    }
}

function Test-Protected {
    param([string]$Id)

    $kept = Get-Kept
    $null -ne $kept -and @($kept.services | Where-Object { $_ -and $_.name -eq $Id }).Count -gt 0
}

# Whether a service is in a state and its guard knows that this is wanted; what was stopped with it must run again, too.
function Test-Wanted {
    param([string]$Id, [string]$Name, [string]$State)

    if (-not (Test-ServiceState -Name $Name -State $State)) {
        return $false
    }
    if (-not (Test-Protected -Id $Id)) {
        return $State -ne 'Running' -or @(Get-StoppedDependent -What "stopped-$Name").Count -eq 0
    }
    (@((Get-Kept).wanted) -contains $Id) -eq ($State -eq 'Running')
}

# A protected service is started by the installed script, which refuses while this server may not serve and notes that it is wanted.
function Start-Wanted {
    param([string]$Id, [string]$Name, [double]$Seconds)

    if (Test-Protected -Id $Id) {
        $null = & (Get-InstalledPath -File 'start_service.ps1') -Name $Id
    } else {
        Start-WithDependent -Name $Name -Seconds $Seconds -What "stopped-$Name"
        Close-Taken -What "stopped-$Name"
    }
    "service $Name runs"
}

function Stop-Wanted {
    param([string]$Id, [string]$Name, [double]$Seconds)

    $dependents = @(Get-RunningDependent -Name $Name)
    if (Test-Protected -Id $Id) {
        $null = & (Get-InstalledPath -File 'stop_service.ps1') -Name $Id
    } else {
        Stop-AndWait -Name $Name -Seconds $Seconds -What "stopped-$Name"
    }
    "service $Name is stopped$(if ($dependents) { '; with it: ' + ($dependents -join ', ') })"
}

# A restart is due from the line "due" on until the line "restarted". One that was cut off starts what it had stopped.
function Test-RestartDue {
    param([string]$What)

    $due = $false
    foreach ($line in @(Get-Taken -What $What)) {
        if ($line.kind -eq 'due') {
            $due = $true
        } elseif ($line.kind -eq 'restarted') {
            $due = $false
        }
    }
    $due
}

function Restart-WithDependent {
    param([string]$Name, [double]$Seconds, [string]$What)

    Stop-AndWait -Name $Name -Seconds $Seconds -What $What
    $names = @(Get-StoppedDependent -What $What)
    Start-WithDependent -Name $Name -Seconds $Seconds -What $What
    Add-Taken -What $What -Value ([ordered]@{ kind = 'restarted'; run = $Request['Run'] })
    "service $Name was restarted$(if ($names) { '; with it: ' + ($names -join ', ') })"
}

function Test-Restarted {
    param([string]$What)

    @(Get-Taken -What $What | Where-Object { $_.kind -eq 'restarted' -and $_.run -ceq $Request['Run'] }).Count -gt 0
}

# How a service starts: automatic, delayed, manual or disabled.
function Get-StartKind {
    param([string]$Name)

    $filter = "Name='{0}'" -f $Name.Replace('\', '\\').Replace("'", "\'")
    $service = Get-CimInstance -ClassName Win32_Service -Filter $filter -ErrorAction Stop |
        Select-Object -Property @('StartMode', 'DelayedAutoStart')
    if ($null -eq $service) {
        throw "there is no service $Name on this server"
    }
    if ($service.StartMode -eq 'Auto' -and $service.DelayedAutoStart) {
        return 'delayed'
    }
    switch ($service.StartMode) {
        'Auto' { 'automatic' }
        'Manual' { 'manual' }
        'Disabled' { 'disabled' }
        default { throw "service $Name starts in the way $_, which is no service's own" }
    }
}

# sc.exe, because Set-Service of 5.1 knows nothing of a delayed start.
function Set-StartKind {
    param([string]$Name, [string]$Kind)

    $words = @{ automatic = 'auto'; delayed = 'delayed-auto'; manual = 'demand'; disabled = 'disabled' }
    $said = @(& sc.exe config $Name start= $words[$Kind])
    if ($LASTEXITCODE -ne 0) {
        throw "sc.exe config $Name ended with ${LASTEXITCODE}: $($said -join ' ')"
    }
    "service $Name starts: $Kind"
}
