# --- programs: started with exactly the words that are given; 5.1 itself would lose quotes within a word, and empty words
function Get-QuotedWord {
    param([string]$Word)

    if ($Word -and $Word -notmatch '[\s"]') {
        return $Word
    }
    '"' + ($Word -replace '(\\*)"', '$1$1\"' -replace '(\\+)$', '$1$1') + '"'
}

# Its exit code and what it said.
function Invoke-Program {
    param([string[]]$Words)

    $place = [System.IO.Path]::Combine([System.IO.Path]::GetTempPath(), [System.IO.Path]::GetRandomFileName())
    $start = @{ FilePath = $Words[0]; Wait = $true; PassThru = $true; NoNewWindow = $true }
    $start['RedirectStandardOutput'] = "$place.out"
    $start['RedirectStandardError'] = "$place.err"
    if ($Words.Count -gt 1) {
        $start['ArgumentList'] = @($Words[1..($Words.Count - 1)] | ForEach-Object { Get-QuotedWord -Word $_ }) -join ' '
    }
    try {
        $process = Start-Process @start
        $said = [System.IO.File]::ReadAllText("$place.out") + [System.IO.File]::ReadAllText("$place.err")
        @{ Code = $process.ExitCode; Said = $said.Trim() }
    } finally {
        [System.IO.File]::Delete("$place.out")
        [System.IO.File]::Delete("$place.err")
    }
}

function Invoke-OrThrow {
    param([string[]]$Words)

    $ended = Invoke-Program -Words $Words
    if ($ended['Code'] -ne 0) {
        throw "$($Words[0]) ended with $($ended['Code']): $($ended['Said'])"
    }
    $ended['Said']
}
