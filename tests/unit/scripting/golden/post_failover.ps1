#Requires -Version 5.1
#Requires -RunAsAdministrator
# dtam: sealed sha256 ...
<#
.SYNOPSIS
    post_failover of protection files on alpha
.DESCRIPTION
    Rendered by dtam. Put what is yours between the marks ">>> your own commands" and "<<< your own commands": it is kept when the
    script is rendered again. A change anywhere else is noticed then: you are told, and the changed script is kept beside.
    To change it for good, change the template (scripts/templates).

    dtam runs it with a request as JSON, in a file or on standard input. By hand it is run with -Run; again: what is done stays done.
    While this server's protection.json says that another server has the service, nothing is taken, unless -Force is added.
.PARAMETER Run
    The run's name, of letters, digits, - and _. What a run did stands in runs\RUN.SCRIPT.jsonl and is undone by the same name.
.PARAMETER Step
    Only these steps; all when none is named.
.PARAMETER Undo
    Undo what that run did, last first.
.PARAMETER Force
    Go on although another server may have the service: for a person who knows that none has.
.PARAMETER RequestFile
    The request of dtam.
.PARAMETER Folder
    The protection's folder; the one above this script's where nothing is said.
.EXAMPLE
    .\post_failover.ps1 -WhatIf
    What would be done, what is so already, and each undo.
.EXAMPLE
    .\post_failover.ps1 -Run drill1
.EXAMPLE
    .\post_failover.ps1 -Run drill1 -Undo
#>
[CmdletBinding(SupportsShouldProcess)]
param(
    [string]$Run = '',
    [string[]]$Step = @(),
    [switch]$Undo,
    [switch]$Force,
    [string]$RequestFile = '',
    [string]$Folder = ''
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$ConfirmPreference = 'None'
$ScriptName = 'post_failover'
$Protection = 'files on alpha'

# ... runtime.ps1 ...

# ... services.ps1 ...

# ... shares.ps1 ...

# ... names.ps1 ...

# ... addresses.ps1 ...

# --- the steps, in their order
$Deeds = @(
    # --- start-server: start service server on beta
    @{
        Id = 'start-server'
        Sentence = 'start service server on beta'
        UndoSays = 'stop it, and what depends on it'
        Look = {
            Test-Wanted -Id 'server' -Name 'LanmanServer' -State 'Running'
        }
        Do = {
            Start-Wanted -Id 'server' -Name 'LanmanServer' -Seconds 120
        }
        Undo = {
            Stop-Wanted -Id 'server' -Name 'LanmanServer' -Seconds 120
        }
    }
    # --- put-shares: put 1 share of alpha on beta
    @{
        Id = 'put-shares'
        Sentence = 'put 1 share of alpha on beta'
        UndoSays = 'take them away again, and put back what was changed'
        Given = [ordered]@{
            'shares' = @(
                [ordered]@{
                    'name' = 'data'
                    'path' = 'C:\data'
                    'description' = ''
                    'sddl' = 'O:SYG:SYD:(A;;0x1301bf;;;S-1-5-21-1-2-3-513)(A;;0x1f01ff;;;BA)'
                    'folder_enumeration' = 'Unrestricted'
                    'caching' = 'Manual'
                    'user_limit' = 0
                    'encrypt' = $false
                }
            )
        }
        Look = {
            Test-AllShares -Document $Given -Closed $false
        }
        Do = {
            Set-AllShares -Document $Given -Closed $false -What 'shares'
        }
        Undo = {
            Restore-AllShares -What 'shares' -OnlyClosed $false
        }
        Dry = {
            Show-AllShares -Document $Given
        }
    }
    # --- take-names: let beta answer as alpha
    @{
        Id = 'take-names'
        Sentence = 'let beta answer as alpha'
        UndoSays = 'let it answer under its own names only'
        Given = [ordered]@{
            'netbios' = @('ALPHA')
            'dns' = @('alpha.lab.example')
            'way' = 'optional'
            'strict_off' = $true
            'loopback' = $true
        }
        Look = {
            Test-AllNames -Document $Given
        }
        Do = {
            Add-AllNames -Document $Given
        }
        Undo = {
            Remove-AllNames
        }
        Dry = {
            Show-Restart
        }
    }
    # --- take-addresses: take 192.0.2.10 over
    @{
        Id = 'take-addresses'
        Sentence = 'take 192.0.2.10 over'
        UndoSays = 'give them back, and remove exactly those that were added'
        Given = [ordered]@{
            'addresses' = @([ordered]@{'address' = '192.0.2.10'; 'prefix' = 24; 'interface' = 'Ethernet'; 'network' = '192.0.2.0/24'})
            'conflict_check' = $true
            'across_subnets' = $false
        }
        Look = {
            Test-AllAddresses -Document $Given
        }
        Do = {
            Add-AllAddresses -Document $Given
        }
        Undo = {
            Remove-AllAddresses
        }
        Dry = {
            Show-AllAddresses -Document $Given
        }
    }
    # --- stay-here: leave with beta for good what was taken
    @{
        Id = 'stay-here'
        Sentence = 'leave with beta for good what was taken'
        UndoSays = 'none, what was set aside is kept as FILE.left'
        Look = {
            $Request['Steps'].Count -eq 0
        }
        Do = {
            foreach ($what in @('shares', 'kept-shares', 'names', 'addresses')) {
                Close-Taken -What $what -Ending 'left'
            }
            'what was taken stays here'
        }
        Beforehand = $true
    }
)

# Commands of yours, after the last step; they run once a run. $env:DTAM_RUN_ID, $env:DTAM_EPOCH and $env:DTAM_PROTECTION are set.
$OwnCommands = {
    Write-Verbose -Message 'commands of your own'
# >>> your own commands
# <<< your own commands
}

try {
    Invoke-Main
} catch {
    Stop-Script -Says "$($_.Exception.Message) (line $($_.InvocationInfo.ScriptLineNumber))" -Code 1
}
exit 0
