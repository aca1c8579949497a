<#
.SYNOPSIS
Registers the guard of leases as a scheduled task, or takes it away.
.PARAMETER Wanted
true: it is there and runs; false: it is gone.
.OUTPUTS
{"changed": true | false}
#>
[CmdletBinding(SupportsShouldProcess = $true)]
param([Parameter(Mandatory = $true)] [bool] $Wanted)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$known = Get-ScheduledTask -TaskPath '\dtam\' -TaskName 'guard' -ErrorAction SilentlyContinue
if (-not $Wanted) {
    if ($known -and $PSCmdlet.ShouldProcess('guard', 'remove the scheduled task')) {
        Stop-ScheduledTask -TaskPath '\dtam\' -TaskName 'guard' -ErrorAction Stop
        Unregister-ScheduledTask -TaskPath '\dtam\' -TaskName 'guard' -Confirm:$false -ErrorAction Stop
    }
    [pscustomobject]@{ changed = [bool]$known }
    return
}
if ($PSCmdlet.ShouldProcess('guard', 'register the scheduled task')) {
    if ($known) {
        # one that runs has the script as it was when it began
        Stop-ScheduledTask -TaskPath '\dtam\' -TaskName 'guard' -ErrorAction Stop
        foreach ($turn in 1..50) {
            if ([string](Get-ScheduledTask -TaskPath '\dtam\' -TaskName 'guard' -ErrorAction Stop).State -ne 'Running') { break }
            Start-Sleep -Milliseconds 100
        }
    }
    $words = "-NoProfile -NonInteractive -File `"$(Join-Path -Path $PSScriptRoot -ChildPath 'guard.ps1')`""
    $action = New-ScheduledTaskAction -Execute 'powershell.exe' -Argument $words -ErrorAction Stop
    $boot = New-ScheduledTaskTrigger -AtStartup -ErrorAction Stop
    $again = New-ScheduledTaskTrigger -Once -At (Get-Date) -RepetitionInterval (New-TimeSpan -Minutes 1) -ErrorAction Stop
    $principal = New-ScheduledTaskPrincipal -UserId 'NT AUTHORITY\SYSTEM' -LogonType ServiceAccount -RunLevel Highest -ErrorAction Stop
    $settings = New-ScheduledTaskSettingsSet -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries -MultipleInstances IgnoreNew -ExecutionTimeLimit ([timespan]::Zero) -StartWhenAvailable -Priority 4 -ErrorAction Stop
    Register-ScheduledTask -TaskPath '\dtam\' -TaskName 'guard' -Action $action -Trigger $boot, $again -Principal $principal -Settings $settings -Force -ErrorAction Stop | Out-Null
    Start-ScheduledTask -TaskPath '\dtam\' -TaskName 'guard' -ErrorAction Stop
}
[pscustomobject]@{ changed = -not $known }
