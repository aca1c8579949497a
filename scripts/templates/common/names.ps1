# --- names: the Server service answers to others' names; each value that is changed is on disk first
$ServerKey = 'HKLM:\SYSTEM\CurrentControlSet\Services\LanmanServer\Parameters'
$LoopbackKey = 'HKLM:\SYSTEM\CurrentControlSet\Control\Lsa\MSV1_0'
$ServerWaits = 120

# The names of a value of the registry; one that is a plain text holds them with blanks between.
function Get-NameList {
    param([string]$Path, [string]$Value)

    Get-ItemProperty -LiteralPath $Path | Select-Object -Property $Value | ForEach-Object { $_.$Value } | ForEach-Object { ([string]$_).Split(' ') } |
        Where-Object { $_ }
}

# The plain text that the value is; empty where it is a list, or not there.
function Get-NameText {
    param([string]$Path, [string]$Value)

    $text = @(Get-ItemProperty -LiteralPath $Path | Select-Object -Property $Value | Where-Object { $_.$Value -is [string] } | ForEach-Object { $_.$Value })
    "$text"
}

# The registry's lists that are to hold names: path, value, names.
function Get-NamePlace {
    param($Document)

    if ($Document['way'] -eq 'optional') {
        @{ Path = $ServerKey; Value = 'OptionalNames'; Names = @($Document['netbios']) }
    }
    if ($Document['loopback']) {
        @{ Path = $LoopbackKey; Value = 'BackConnectionHostNames'; Names = @($Document['netbios']) + @($Document['dns']) }
    }
}

function Get-MissingName {
    param($Place)

    $there = @(Get-NameList -Path $Place['Path'] -Value $Place['Value'])
    $Place['Names'] | Where-Object { $there -notcontains $_ }
}

function Test-StrictName {
    [bool](Get-SmbServerConfiguration -ErrorAction Stop).EnableStrictNameChecking
}

# The names that netdom says this computer has.
function Get-ComputerAlias {
    $said = @(& netdom.exe computername $env:COMPUTERNAME /enumerate)
    if ($LASTEXITCODE -ne 0) {
        throw "netdom computername /enumerate ended with ${LASTEXITCODE}: $($said -join ' ')"
    }
    $said | ForEach-Object { $_.Trim() } | Where-Object { $_ }
}

function Get-MissingAlias {
    param($Document)

    if ($Document['way'] -eq 'alternate') {
        $there = @(Get-ComputerAlias)
        $Document['dns'] | Where-Object { $there -notcontains $_ }
    }
}

function Set-ComputerAlias {
    param([string]$Option, [string]$Name)

    $said = @(& netdom.exe computername $env:COMPUTERNAME "/${Option}:$Name")
    if ($LASTEXITCODE -ne 0) {
        throw "netdom computername /${Option}:$Name ended with ${LASTEXITCODE}: $($said -join ' ')"
    }
}

function Test-AllNames {
    param($Document)

    $missing = @(Get-NamePlace -Document $Document | ForEach-Object { Get-MissingName -Place $_ }) + @(Get-MissingAlias -Document $Document)
    $missing.Count -eq 0 -and -not ($Document['strict_off'] -and (Test-StrictName)) -and -not (Test-RestartDue -What 'names')
}

# A list of the registry with other names in it; one that is left empty goes.
function Set-NameList {
    param([string]$Path, [string]$Value, [string[]]$Names)

    if ($Names.Count -eq 0) {
        Remove-ItemProperty -LiteralPath $Path -Name $Value -Confirm:$false
    } else {
        $null = New-ItemProperty -LiteralPath $Path -Name $Value -Value $Names -PropertyType MultiString -Force -Confirm:$false
    }
}

# Back to the plain text that the value was before we took it, where only its own names are left.
function Reset-NameList {
    param([string]$Path, [string]$Value, [string[]]$Names)

    $taken = @(Get-Taken -What 'names' | Where-Object { $_.kind -eq 'list' -and $_.path -eq $Path -and $_.value -eq $Value } | Select-Object -First 1)
    $text = @($taken | ForEach-Object { $_.text } | Where-Object { $_ -and (@($_.Split(' ') | Where-Object { $_ }) -join ' ') -eq ($Names -join ' ') })
    if ($text.Count -gt 0) {
        $null = New-ItemProperty -LiteralPath $Path -Name $Value -Value $text[0] -PropertyType String -Force -Confirm:$false
    } else {
        Set-NameList -Path $Path -Value $Value -Names $Names
    }
}

function Add-AllNames {
    param($Document)

    Resume-TheServer
    foreach ($place in @(Get-NamePlace -Document $Document)) {
        $missing = @(Get-MissingName -Place $place)
        if ($missing.Count -gt 0) {
            $there = @(Get-NameList -Path $place['Path'] -Value $place['Value'])
            $text = Get-NameText -Path $place['Path'] -Value $place['Value']
            Add-Taken -What 'names' -Value ([ordered]@{ kind = 'list'; path = $place['Path']; value = $place['Value']; names = $missing; text = $text })
            Add-Taken -What 'names' -Value ([ordered]@{ kind = 'due' })
            Set-NameList -Path $place['Path'] -Value $place['Value'] -Names ($there + $missing)
            "$($place['Value']): $($missing -join ', ') added"
        }
    }
    foreach ($name in @(Get-MissingAlias -Document $Document)) {
        Add-Taken -What 'names' -Value ([ordered]@{ kind = 'alias'; name = $name })
        Add-Taken -What 'names' -Value ([ordered]@{ kind = 'due' })
        Set-ComputerAlias -Option 'add' -Name $name
        "alternate name $name added"
    }
    if ($Document['strict_off'] -and (Test-StrictName)) {
        Add-Taken -What 'names' -Value ([ordered]@{ kind = 'strict' })
        Set-SmbServerConfiguration -EnableStrictNameChecking $false -Force -Confirm:$false -ErrorAction Stop
        'names that are not its own are answered'
    }
    Restart-TheServer
}

# Exactly what was added is removed again.
function Remove-AllNames {
    Resume-TheServer
    foreach ($line in @(Get-Taken -What 'names')) {
        switch ($line.kind) {
            'list' {
                $there = @(Get-NameList -Path $line.path -Value $line.value)
                if (@($there | Where-Object { $line.names -contains $_ }).Count -gt 0) {
                    Add-Taken -What 'names' -Value ([ordered]@{ kind = 'due' })
                    Reset-NameList -Path $line.path -Value $line.value -Names @($there | Where-Object { $line.names -notcontains $_ })
                    "$($line.value): $($line.names -join ', ') removed"
                }
            }
            'alias' {
                if (@(Get-ComputerAlias) -contains $line.name) {
                    Add-Taken -What 'names' -Value ([ordered]@{ kind = 'due' })
                    Set-ComputerAlias -Option 'remove' -Name $line.name
                    "alternate name $($line.name) removed"
                }
            }
            'strict' {
                Set-SmbServerConfiguration -EnableStrictNameChecking $true -Force -Confirm:$false -ErrorAction Stop
                'only its own names are answered'
            }
        }
    }
    Restart-TheServer
    Close-Taken -What 'names'
}

# Whether we stopped the Server service and did not come to start it again.
function Test-CutOff {
    $last = @(Get-Taken -What 'names' | Where-Object { @('stopping', 'restarted') -contains $_.kind } | Select-Object -Last 1)
    @($last | Where-Object { $_.kind -eq 'stopping' }).Count -gt 0
}

# What a run that was cut off had stopped is started first: without its service nothing about names can be asked.
function Resume-TheServer {
    if (Test-CutOff) {
        Start-WithDependent -Name 'LanmanServer' -Seconds $ServerWaits -What 'names'
        Add-Taken -What 'names' -Value ([ordered]@{ kind = 'restarted'; run = $Request['Run'] })
    }
}

# The Server service reads its names when it starts; one that does not run reads them when it is started.
function Restart-TheServer {
    if (Test-RestartDue -What 'names') {
        if (Test-ServiceState -Name 'LanmanServer' -State 'Running') {
            Restart-WithDependent -Name 'LanmanServer' -Seconds $ServerWaits -What 'names'
        } else {
            Add-Taken -What 'names' -Value ([ordered]@{ kind = 'restarted'; run = $Request['Run'] })
        }
    }
}

# What a restart of the Server service will take along, named beforehand.
function Show-Restart {
    $names = @(Get-RunningDependent -Name 'LanmanServer')
    "the Server service is restarted$(if ($names) { '; with it: ' + ($names -join ', ') })"
}
