# --- shares: made with their permissions, or changed where they lead to the same folder; what was there before is on disk first
$DenyEverybody = 'O:SYG:SYD:(D;;0x1f01ff;;;WD)'
$SystemShares = @('ADMIN$', 'IPC$', 'PRINT$', 'NETLOGON', 'SYSVOL')

function Get-OwnShare {
    param([string]$Name)

    Get-SmbShare -ErrorAction Stop | Where-Object { $_.Name -eq $Name -and $_.ScopeName -eq '*' }
}

# A descriptor in one spelling, so that two can be compared.
function Get-PlainSddl {
    param([string]$Sddl)

    (New-Object -TypeName System.Security.AccessControl.RawSecurityDescriptor -ArgumentList $Sddl).GetSddlForm('Access')
}

function Test-SameFolder {
    param([string]$One, [string]$Other)

    $One.TrimEnd('\') -eq $Other.TrimEnd('\')
}

function Test-Share {
    param($Share, [string]$Sddl)

    $found = Get-OwnShare -Name $Share['name']
    if ($null -eq $found -or -not (Test-SameFolder -One $found.Path -Other $Share['path'])) {
        return $false
    }
    (Get-PlainSddl -Sddl $found.SecurityDescriptor) -eq (Get-PlainSddl -Sddl $Sddl) -and
        "$($found.Description)" -ceq $Share['description'] -and
        "$($found.FolderEnumerationMode)" -eq $Share['folder_enumeration'] -and
        "$($found.CachingMode)" -eq $Share['caching'] -and
        [long]$found.ConcurrentUserLimit -eq $Share['user_limit'] -and
        [bool]$found.EncryptData -eq $Share['encrypt']
}

# The descriptor that a share of the document is to have now.
function Get-WantedSddl {
    param($Share, [bool]$Closed)

    if ($Closed) {
        return $DenyEverybody
    }
    $Share['sddl']
}

# Whether all shares of a document are as wanted. Beforehand ("closed") one that is open to somebody is left alone.
function Test-AllShares {
    param($Document, [bool]$Closed)

    foreach ($share in $Document['shares']) {
        if ($Closed -and $null -ne (Get-OwnShare -Name $share['name'])) {
            continue
        }
        if (-not (Test-Share -Share $share -Sddl (Get-WantedSddl -Share $share -Closed $Closed))) {
            return $false
        }
    }
    $true
}

# What forbids to put the shares; nothing when all of them can be put.
function Get-ShareProblem {
    param($Document)

    foreach ($share in $Document['shares']) {
        $found = Get-OwnShare -Name $share['name']
        if ($SystemShares -contains $share['name'] -or $share['name'] -match '^[A-Z]\$$') {
            "$($share['name']) is a share of the system"
        } elseif (-not (Test-Path -LiteralPath $share['path'] -PathType Container)) {
            "the folder $($share['path']) of share $($share['name']) is not here"
        } elseif ($null -ne $found -and -not (Test-SameFolder -One $found.Path -Other $share['path'])) {
            "share $($share['name']) leads to $($found.Path) here, not to $($share['path'])"
        }
    }
}

function Set-OneShare {
    param($Share, [string]$Sddl)

    Set-SmbShare -Name $Share['name'] -Description $Share['description'] -FolderEnumerationMode $Share['folder_enumeration'] `
        -CachingMode $Share['caching'] -ConcurrentUserLimit $Share['user_limit'] -EncryptData $Share['encrypt'] `
        -SecurityDescriptor $Sddl -Force -Confirm:$false -ErrorAction Stop
}

function Set-AllShares {
    param($Document, [bool]$Closed, [string]$What)

    $problems = @(Get-ShareProblem -Document $Document)
    if ($problems.Count -gt 0) {
        throw ($problems -join '; ')
    }
    foreach ($share in $Document['shares']) {
        $sddl = Get-WantedSddl -Share $share -Closed $Closed
        $found = Get-OwnShare -Name $share['name']
        if (Test-Share -Share $share -Sddl $sddl) {
            continue
        }
        if ($null -eq $found) {
            Add-Taken -What $What -Value ([ordered]@{ kind = 'made'; name = $share['name']; path = $share['path'] })
            $null = New-SmbShare -Name $share['name'] -Path $share['path'] -Description $share['description'] `
                -FolderEnumerationMode $share['folder_enumeration'] -CachingMode $share['caching'] `
                -ConcurrentUserLimit $share['user_limit'] -EncryptData $share['encrypt'] -SecurityDescriptor $sddl `
                -Confirm:$false -ErrorAction Stop
            "share $($share['name']) is made"
        } elseif (-not $Closed) {
            Add-Taken -What $What -Value ([ordered]@{
                    kind = 'changed'; name = $share['name']; path = $found.Path; description = "$($found.Description)"
                    folder_enumeration = "$($found.FolderEnumerationMode)"; caching = "$($found.CachingMode)"
                    user_limit = [long]$found.ConcurrentUserLimit; encrypt = [bool]$found.EncryptData; sddl = $found.SecurityDescriptor
                })
            Set-OneShare -Share $share -Sddl $sddl
            "share $($share['name']) is changed"
        }
    }
}

function Get-OpenFileBelow {
    param([string]$Path)

    $top = $Path.TrimEnd('\').ToUpperInvariant() + '\'
    Get-SmbOpenFile -ErrorAction Stop | Where-Object { ("$($_.Path)".TrimEnd('\').ToUpperInvariant() + '\').StartsWith($top) }
}

# Clients' open files below a folder are closed; one that went by itself meanwhile is no failure.
function Close-FileBelow {
    param([string]$Path)

    foreach ($file in @(Get-OpenFileBelow -Path $Path)) {
        Close-SmbOpenFile -FileId $file.FileId -Force -Confirm:$false -ErrorAction SilentlyContinue
    }
    foreach ($file in @(Get-OpenFileBelow -Path $Path)) {
        Close-SmbOpenFile -FileId $file.FileId -Force -Confirm:$false -ErrorAction Stop
    }
}

# Shares that were made go, those that were changed are what they were: by the first line about each.
function Restore-AllShares {
    param([string]$What, [bool]$OnlyClosed)

    $seen = @{}
    foreach ($line in @(Get-Taken -What $What)) {
        if ($seen.ContainsKey($line.name)) {
            continue
        }
        $seen[$line.name] = $true
        $found = Get-OwnShare -Name $line.name
        if ($null -eq $found -or -not (Test-SameFolder -One $found.Path -Other $line.path)) {
            "share $($line.name) is not here any more"
        } elseif ($OnlyClosed -and (Get-PlainSddl -Sddl $found.SecurityDescriptor) -ne (Get-PlainSddl -Sddl $DenyEverybody)) {
            "share $($line.name) is open and stays"
        } else {
            Restore-OneShare -Line $line
        }
    }
    Close-Taken -What $What
}

function Restore-OneShare {
    param($Line)

    Close-FileBelow -Path $Line.path
    if ($Line.kind -eq 'made') {
        Remove-SmbShare -Name $Line.name -Force -Confirm:$false -ErrorAction Stop
        return "share $($Line.name) is taken away"
    }
    $former = @{}
    foreach ($key in @('name', 'description', 'folder_enumeration', 'caching', 'user_limit', 'encrypt')) {
        $former[$key] = $Line.$key
    }
    Set-OneShare -Share $former -Sddl $Line.sddl
    "share $($Line.name) is what it was"
}

function Show-AllShares {
    param($Document)

    Get-ShareProblem -Document $Document
    foreach ($share in $Document['shares']) {
        "$($share['name']) -> $($share['path'])"
    }
}
