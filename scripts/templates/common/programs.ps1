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
    $out = "$place.out"
    $err = "$place.err"
    $WhatIfPreference = $false # a look is taken in a dry run, too
    try {
        if ($Words.Count -gt 1) {
            $rest = @($Words[1..($Words.Count - 1)] | ForEach-Object { Get-QuotedWord -Word $_ }) -join ' '
            $process = Start-Process -FilePath $Words[0] -ArgumentList $rest -Wait -PassThru -NoNewWindow `
                -RedirectStandardOutput $out -RedirectStandardError $err
        } else {
            $process = Start-Process -FilePath $Words[0] -Wait -PassThru -NoNewWindow `
                -RedirectStandardOutput $out -RedirectStandardError $err
        }
        $said = [System.IO.File]::ReadAllText($out) + [System.IO.File]::ReadAllText($err)
        @{ Code = $process.ExitCode; Said = $said.Trim() }
    } finally {
        [System.IO.File]::Delete($out)
        [System.IO.File]::Delete($err)
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
