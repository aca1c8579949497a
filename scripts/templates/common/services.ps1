# --- services: waited for; what depends on one is named before it is stopped, and started again with it
function Wait-ServiceState {
    param([string]$Name, [string]$State, [double]$Seconds)

    $end = [datetime]::UtcNow.AddSeconds($Seconds)
    while ((Get-Service -Name $Name).Status -ne $State) {
        if ([datetime]::UtcNow -ge $end) {
            throw "service $Name is $((Get-Service -Name $Name).Status) after $Seconds s, not $State"
        }
        Start-Sleep -Milliseconds 200
    }
}

function Test-ServiceState {
    param([string]$Name, [string]$State)

    (Get-Service -Name $Name).Status -eq $State
}

function Start-AndWait {
    param([string]$Name, [double]$Seconds)

    if (-not (Test-ServiceState -Name $Name -State 'Running')) {
        Start-Service -Name $Name -WarningAction SilentlyContinue
        Wait-ServiceState -Name $Name -State 'Running' -Seconds $Seconds
    }
}

function Get-RunningDependent {
    param([string]$Name)

    Get-Service -Name $Name -DependentServices | Where-Object { $_.Status -ne 'Stopped' } | ForEach-Object { $_.Name }
}

# Stop a service and what depends on it. With -What the dependents' names are on disk first.
function Stop-AndWait {
    param([string]$Name, [double]$Seconds, [string]$What = '')

    $dependents = @(Get-RunningDependent -Name $Name)
    if ($What) {
        Add-Taken -What $What -Value ([ordered]@{ kind = 'stopping'; service = $Name; dependents = $dependents })
    }
    Stop-Service -Name $Name -Force -WarningAction SilentlyContinue
    Wait-ServiceState -Name $Name -State 'Stopped' -Seconds $Seconds
    $dependents
}

# Start a service and those that depended on it when it was stopped for WHAT.
function Start-WithDependent {
    param([string]$Name, [double]$Seconds, [string]$What)

    Start-AndWait -Name $Name -Seconds $Seconds
    foreach ($line in @(Get-Taken -What $What | Where-Object { $_.kind -eq 'stopping' })) {
        foreach ($dependent in $line.dependents) {
            Start-AndWait -Name $dependent -Seconds $Seconds
        }
    }
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

    $null = Stop-AndWait -Name $Name -Seconds $Seconds -What $What
    Start-WithDependent -Name $Name -Seconds $Seconds -What $What
    Add-Taken -What $What -Value ([ordered]@{ kind = 'restarted'; run = $Request['Run'] })
    $names = @(Get-Taken -What $What | Where-Object { $_.kind -eq 'stopping' } | ForEach-Object { $_.dependents } | Sort-Object -Unique)
    "service $Name was restarted; with it: $($names -join ', ')"
}

function Test-Restarted {
    param([string]$What)

    @(Get-Taken -What $What | Where-Object { $_.kind -eq 'restarted' -and $_.run -ceq $Request['Run'] }).Count -gt 0
}

# How a service starts: automatic, delayed, manual or disabled.
function Get-StartKind {
    param([string]$Name)

    $service = Get-CimInstance -ClassName Win32_Service -Filter "Name='$($Name -replace "'", "\'")'" -ErrorAction Stop
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
