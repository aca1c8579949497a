# --- how a run goes: look, "about-to" with its undo on disk, do, "done" or "failed" on disk. A step killed inside is looked at
# again by the next run of the same name; what was found done beforehand is "already" and is not undone.
# Cmdlets of SmbShare, NetTCPIP and DnsClient do not see this script's preferences: each call of them says -ErrorAction and -Confirm itself.
if (-not $Folder) {
    $Folder = Split-Path -Path $PSScriptRoot -Parent
}
$Request = @{ Run = $Run; Steps = @($Step); Undo = [bool]$Undo; DryRun = [bool]$WhatIfPreference; Epoch = 0; Fenced = $null; RunFile = ''; Lock = $null }
$RequestKeys = @('run_id', 'protection', 'epoch', 'segments', 'dry_run', 'undo', 'fenced')
$OwnId = 'your-own-commands'
$Utf8 = New-Object -TypeName System.Text.UTF8Encoding -ArgumentList $false
try {
    [Console]::OutputEncoding = $Utf8
} catch {
    Write-Verbose -Message 'there is no console whose encoding could be set'
}

function Stop-Script {
    param([string]$Says, [int]$Code)

    [Console]::Error.WriteLine("${ScriptName}: $Says")
    exit $Code
}

# One line of JSON at the end of a file, on the disk when this returns. A reader may be in the way for a moment.
function Write-Line {
    param([string]$Path, $Value)

    $bytes = $Utf8.GetBytes((ConvertTo-Json -InputObject $Value -Compress -Depth 8) + "`n")
    $file = $null
    for ($turn = 1; $null -eq $file; $turn++) {
        try {
            $file = [System.IO.File]::Open($Path, 'Append', 'Write', 'Read')
        } catch [System.IO.IOException] {
            if ($turn -ge 50) {
                throw
            }
            Start-Sleep -Milliseconds 100
        }
    }
    try {
        $file.Write($bytes, 0, $bytes.Length)
        $file.Flush($true)
    } finally {
        $file.Dispose()
    }
}

# The lines of such a file, oldest first. A line that a crash cut off does not count.
function Read-Line {
    param([string]$Path)

    if (-not [System.IO.File]::Exists($Path)) {
        return
    }
    foreach ($text in ([System.IO.File]::ReadAllText($Path) -split "`n")) {
        if ($text.EndsWith('}')) {
            try {
                ConvertFrom-Json -InputObject $text
            } catch {
                Write-Verbose -Message "no line of ours: $text"
            }
        }
    }
}

# A line that a crash cut off is ended, so that the next one stands by itself.
function Repair-Line {
    param([string]$Path)

    if ([System.IO.File]::Exists($Path)) {
        $bytes = [System.IO.File]::ReadAllBytes($Path)
        if ($bytes.Length -gt 0 -and $bytes[$bytes.Length - 1] -ne 10) {
            [System.IO.File]::AppendAllText($Path, "`n")
        }
    }
}

# What a step took, on disk before it takes it, for whoever gives it back: lines with a "kind" each, in taken\WHAT.jsonl.
function Get-TakenPath {
    param([string]$What)

    [System.IO.Path]::Combine($Folder, 'taken', (($What -replace '[^A-Za-z0-9_-]', '_') + '.jsonl'))
}

function Add-Taken {
    param([string]$What, $Value)

    $null = [System.IO.Directory]::CreateDirectory([System.IO.Path]::Combine($Folder, 'taken'))
    $path = Get-TakenPath -What $What
    Repair-Line -Path $path
    Write-Line -Path $path -Value $Value
}

function Get-Taken {
    param([string]$What)

    Read-Line -Path (Get-TakenPath -What $What)
}

# All of it was given back ("done"), or stays for good ("left"): the file is set aside under that ending.
function Close-Taken {
    param([string]$What, [string]$Ending = 'done')

    $path = Get-TakenPath -What $What
    if ([System.IO.File]::Exists($path)) {
        [System.IO.File]::Delete("$path.$Ending")
        [System.IO.File]::Move($path, "$path.$Ending")
    }
}

# One line about a step, in the run file and for the reader.
function Write-Step {
    param([string]$Id, [string]$What, [string]$Says, [string]$UndoSays = '')

    $line = [ordered]@{ t = [datetimeoffset]::UtcNow.ToUnixTimeMilliseconds() / 1000; step = $Id; event = $What }
    if ($UndoSays) {
        $line['undo'] = $UndoSays
    }
    $line['says'] = $Says
    try {
        Write-Line -Path $Request['RunFile'] -Value $line
    } catch {
        Stop-Script -Says "cannot write $($Request['RunFile']): nothing more is done ($($_.Exception.Message))" -Code 73
    }
    [Console]::Out.WriteLine("$What ${Id}: $Says")
}

# What this run has done about a step so far: its last event, and whether there is something to undo.
function Get-Past {
    param([string]$Id)

    $past = @{ Last = ''; Begun = $false }
    foreach ($line in @(Read-Line -Path $Request['RunFile'])) {
        if ($line.step -ceq $Id) {
            $past['Last'] = $line.event
            if ($line.event -eq 'about-to') {
                $past['Begun'] = $true
            } elseif ($line.event -eq 'undone') {
                $past['Begun'] = $false
            }
        }
    }
    $past
}

# A part of a step ('Look', 'Do', 'Undo', 'Dry'); $Given is what the step was given.
function Invoke-Part {
    param($Deed, [string]$Part)

    $Given = $Deed['Given']
    & $Deed[$Part]
}

function Test-Done {
    param($Deed)

    try {
        [bool](Invoke-Part -Deed $Deed -Part 'Look')
    } catch {
        $false
    }
}

function Get-Failure {
    param($Problem)

    "$($Problem.Exception.Message) (line $($Problem.InvocationInfo.ScriptLineNumber))"
}

function Invoke-Deed {
    param($Deed)

    $past = Get-Past -Id $Deed['Id']
    if (Test-Done -Deed $Deed) {
        if (-not $past['Begun']) {
            Write-Step -Id $Deed['Id'] -What 'already' -Says 'it was so before'
        } elseif ($past['Last'] -ne 'done') {
            Write-Step -Id $Deed['Id'] -What 'done' -Says 'found done'
        }
        return
    }
    Write-Step -Id $Deed['Id'] -What 'about-to' -Says $Deed['Sentence'] -UndoSays $Deed['UndoSays']
    try {
        $said = @(Invoke-Part -Deed $Deed -Part 'Do') -join '; '
    } catch {
        Write-Step -Id $Deed['Id'] -What 'failed' -Says (Get-Failure -Problem $_)
        exit 1
    }
    if (-not $said) {
        $said = $Deed['Sentence']
    }
    Write-Step -Id $Deed['Id'] -What 'done' -Says $said
}

function Undo-Deed {
    param($Deed)

    $past = Get-Past -Id $Deed['Id']
    if (-not $past['Begun']) {
        return
    }
    $said = "nothing to undo: $($Deed['UndoSays'])"
    if ($Deed.ContainsKey('Undo')) {
        try {
            $said = @(Invoke-Part -Deed $Deed -Part 'Undo') -join '; '
        } catch {
            Write-Step -Id $Deed['Id'] -What 'failed' -Says "undo: $(Get-Failure -Problem $_)"
            exit 1
        }
    }
    if (-not $said) {
        $said = $Deed['UndoSays']
    }
    Write-Step -Id $Deed['Id'] -What 'undone' -Says $said
}

function Show-Deed {
    param($Deed)

    if ($Request['Undo']) {
        [Console]::Out.WriteLine("would undo $($Deed['Id']): $($Deed['UndoSays'])")
    } elseif (Test-Done -Deed $Deed) {
        [Console]::Out.WriteLine("already so $($Deed['Id']): $($Deed['Sentence'])")
    } else {
        [Console]::Out.WriteLine("would do $($Deed['Id']): $($Deed['Sentence']) (undo: $($Deed['UndoSays']))")
        if ($Deed.ContainsKey('Dry')) {
            try {
                $lines = @(Invoke-Part -Deed $Deed -Part 'Dry')
            } catch {
                $lines = @("more cannot be said now: $($_.Exception.Message)")
            }
            foreach ($line in $lines) {
                [Console]::Out.WriteLine("  $line")
            }
        }
    }
}

# What this server keeps about the protection, as text; nothing where it keeps nothing. While it is being replaced the former text is there.
function Read-Kept {
    $path = [System.IO.Path]::Combine($Folder, 'protection.json')
    for ($turn = 1; [System.IO.File]::Exists($path) -or [System.IO.File]::Exists("$path.old"); $turn++) {
        try {
            $one = if ([System.IO.File]::Exists($path)) { $path } else { "$path.old" }
            return [System.IO.File]::ReadAllText($one)
        } catch [System.IO.IOException] {
            if ($turn -ge 50) {
                throw
            }
        }
        Start-Sleep -Milliseconds 40
    }
}

# Why this server may not serve; empty when it may. What this server keeps about the protection says it.
function Get-Fence {
    $path = [System.IO.Path]::Combine($Folder, 'protection.json')
    $kept = Read-Kept
    if (-not $kept) {
        return "$path is not there: nobody says whether another server has the service"
    }
    $document = ConvertFrom-Json -InputObject $kept | Select-Object -Property @('epoch', 'fenced')
    if ($Request['Epoch'] -gt 0 -and [long]$document.epoch -gt $Request['Epoch']) {
        Stop-Script -Says "nothing was done: epoch $($Request['Epoch']) is over, this server knows of epoch $($document.epoch)" -Code 77
    }
    if ($Request['Epoch'] -eq 0) {
        $Request['Epoch'] = [long]$document.epoch
        $env:DTAM_EPOCH = "$($document.epoch)"
    }
    [string]$document.fenced
}

# What a failover takes is taken only while this server may serve: an old run of it, by hand, must not take from a source that serves
# again. dtam says so when it runs the script; else the server is asked. A person who insists is written down.
function Assert-MayServe {
    param($Chosen)

    $fence = Get-Fence
    $taking = @($Chosen | Where-Object { -not $_.ContainsKey('Beforehand') })
    if ($taking.Count -eq 0 -or $ScriptName -notin @('post_failover', 'post_restore', 'post_failback')) {
        return
    }
    if ($null -ne $Request['Fenced']) {
        $fence = $Request['Fenced']
    }
    if (-not $fence) {
        return
    }
    if (-not $Force) {
        Stop-Script -Says "nothing was taken: $fence (a person who knows that no other server serves adds -Force)" -Code 77
    }
    Write-Step -Id 'fence' -What 'forced' -Says "by hand although: $fence"
}

# The steps asked for, in the script's order; all when none is named.
function Select-Deed {
    foreach ($wanted in $Request['Steps']) {
        if (@($Deeds | Where-Object { $_['Id'] -ceq $wanted }).Count -eq 0) {
            Stop-Script -Says "there is no step $wanted here" -Code 2
        }
    }
    foreach ($deed in $Deeds) {
        if ($Request['Steps'].Count -eq 0 -or $Request['Steps'] -ccontains $deed['Id']) {
            $deed
        }
    }
}

function Invoke-OwnCommand {
    param($Chosen)

    if ($Deeds.Count -gt 0 -and @($Chosen | Where-Object { $_['Id'] -ceq $Deeds[-1]['Id'] }).Count -eq 0) {
        return
    }
    $lines = @($OwnCommands.ToString() -split "`n" | Where-Object { $_.Trim() -and -not $_.Trim().StartsWith('#') })
    if ($lines.Count -le 1 -or (Get-Past -Id $OwnId)['Last'] -eq 'done') {
        return
    }
    Write-Step -Id $OwnId -What 'about-to' -Says 'run your own commands' -UndoSays 'your commands say how'
    try {
        $said = @(& $OwnCommands) -join '; '
    } catch {
        Write-Step -Id $OwnId -What 'failed' -Says (Get-Failure -Problem $_)
        exit 1
    }
    if (-not $said) {
        $said = 'your own commands ran'
    }
    Write-Step -Id $OwnId -What 'done' -Says $said
}

function Read-Request {
    param([string]$Text)

    try {
        $asked = ConvertFrom-Json -InputObject $Text | Select-Object -Property $RequestKeys
        $Request['Run'] = [string]$asked.run_id
        $Request['Epoch'] = [long]$asked.epoch
        $Request['Steps'] = @($asked.segments | Where-Object { $_ })
        $Request['DryRun'] = [bool]$asked.dry_run
        $Request['Undo'] = [bool]$asked.undo
        $Request['Fenced'] = $asked.fenced
    } catch {
        Stop-Script -Says "the request is not JSON that can be used: $($_.Exception.Message)" -Code 2
    }
    if ($asked.protection -and $asked.protection -cne $Protection) {
        Stop-Script -Says "asked for protection $($asked.protection), this is $Protection" -Code 2
    }
}

function Open-Run {
    if ($Request['Run'] -notmatch '^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$') {
        Stop-Script -Says 'a run needs a name: -Run, of letters, digits, - and _' -Code 2
    }
    $runs = [System.IO.Path]::Combine($Folder, 'runs')
    $Request['RunFile'] = [System.IO.Path]::Combine($runs, "$($Request['Run']).$ScriptName.jsonl")
    try {
        $null = [System.IO.Directory]::CreateDirectory($runs)
        $Request['Lock'] = [System.IO.File]::Open([System.IO.Path]::Combine($runs, "$ScriptName.lock"), 'OpenOrCreate', 'ReadWrite', 'None')
    } catch [System.IO.IOException] {
        Stop-Script -Says "another run of this script is at work ($($_.Exception.Message))" -Code 75
    } catch {
        Stop-Script -Says "cannot write to ${runs}: $($_.Exception.Message)" -Code 73
    }
    Repair-Line -Path $Request['RunFile']
}

function Invoke-Main {
    if ($RequestFile) {
        Read-Request -Text ([System.IO.File]::ReadAllText($RequestFile))
    } elseif (-not ($Run -or $Step.Count -gt 0 -or $Undo -or $Force -or $WhatIfPreference)) {
        if (-not [Console]::IsInputRedirected) {
            Stop-Script -Says 'usage: [-WhatIf] [-Undo] [-Force] -Run NAME [-Step NAME,...]; Get-Help tells more' -Code 2
        }
        Read-Request -Text ([Console]::In.ReadToEnd())
    }
    $env:DTAM_RUN_ID = $Request['Run']
    $env:DTAM_EPOCH = "$($Request['Epoch'])"
    $env:DTAM_PROTECTION = $Protection
    $chosen = @(Select-Deed)
    if ($Request['DryRun']) {
        $script:WhatIfPreference = $true
        foreach ($deed in $chosen) {
            Show-Deed -Deed $deed
        }
        return
    }
    Open-Run
    try {
        if ($Request['Undo']) {
            for ($number = $chosen.Count - 1; $number -ge 0; $number--) {
                Undo-Deed -Deed $chosen[$number]
            }
            return
        }
        Assert-MayServe -Chosen $chosen
        foreach ($deed in $chosen) {
            Invoke-Deed -Deed $deed
        }
        Invoke-OwnCommand -Chosen $chosen
    } finally {
        $Request['Lock'].Dispose()
    }
}
