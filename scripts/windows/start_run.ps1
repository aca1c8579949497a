<#
.SYNOPSIS
Starts a run of a protection's script, detached: a change of address or name may cut the link that asked for it.
.DESCRIPTION
A scheduled task of the system's own account runs it. A run that is at work is left alone; one that ended goes on where it ended.
.PARAMETER Protection
Its id.
.PARAMETER Name
The script's name, without ending.
.PARAMETER RunId
The run.
.PARAMETER Request
What the script is asked for: segments, undo, dry_run, epoch.
.OUTPUTS
{"changed": true | false}
#>
[CmdletBinding(SupportsShouldProcess = $true)]
param(
    [Parameter(Mandatory = $true)] [string] $Protection,
    [Parameter(Mandatory = $true)] [ValidatePattern('^[a-z][a-z0-9_]*$')] [string] $Name,
    [Parameter(Mandatory = $true)] [ValidatePattern('^[A-Za-z0-9][A-Za-z0-9-]{0,79}$')] [string] $RunId,
    [Parameter(Mandatory = $true)] $Request
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
. (Join-Path -Path $PSScriptRoot -ChildPath 'state.ps1')

$null = Get-DtamHeld $Protection
$folder = Get-DtamFolder $Protection
$script = Join-Path -Path $folder -ChildPath "scripts\$Name.ps1"
$note = Join-Path -Path $folder -ChildPath "scripts\$Name.sha256"
if (-not (Test-Path -LiteralPath $script)) { throw "protection $Protection has no script $Name on this host" }
if ((Get-FileHash -LiteralPath $script -Algorithm SHA256).Hash -ne (Read-DtamText $note).Trim()) {
    throw "the script $Name was changed on this host since it was delivered; it is not run"
}
$task = "$RunId.$Name"
$known = Get-ScheduledTask -TaskPath '\dtam\' -TaskName $task -ErrorAction SilentlyContinue
if ($known -and [string]$known.State -eq 'Running') {
    [pscustomobject]@{ changed = $false }
    return
}
if ($PSCmdlet.ShouldProcess($script, "run it as $RunId")) {
    $others = @(Get-ScheduledTask -TaskPath '\dtam\' -ErrorAction SilentlyContinue | Where-Object { $_.TaskName -ne $task })
    foreach ($old in $others) {
        if (Test-Path -LiteralPath (Join-Path -Path $folder -ChildPath "runs\$($old.TaskName).ended")) {
            Unregister-ScheduledTask -TaskPath '\dtam\' -TaskName $old.TaskName -Confirm:$false -ErrorAction SilentlyContinue
        }
    }
    $begin = Join-Path -Path $folder -ChildPath "runs\$task"
    foreach ($ending in 'ended', 'begun') {
        if (Test-Path -LiteralPath "$begin.$ending") { Remove-Item -LiteralPath "$begin.$ending" -Force }
    }
    Write-DtamText "$begin.request.json" (ConvertTo-Json -InputObject $Request -Compress -Depth 8)
    Write-DtamText "$begin.asked" ([string](Get-DtamTicks))
    $runner = Join-Path -Path $PSScriptRoot -ChildPath 'run_now.ps1'
    $words = "-NoProfile -NonInteractive -File `"$runner`" -Protection $Protection -Name $Name -RunId $RunId"
    $action = New-ScheduledTaskAction -Execute 'powershell.exe' -Argument $words -ErrorAction Stop
    $principal = New-ScheduledTaskPrincipal -UserId 'NT AUTHORITY\SYSTEM' -LogonType ServiceAccount -RunLevel Highest -ErrorAction Stop
    $settings = New-ScheduledTaskSettingsSet -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries -MultipleInstances IgnoreNew -ErrorAction Stop
    Register-ScheduledTask -TaskPath '\dtam\' -TaskName $task -Action $action -Principal $principal -Settings $settings -Force -ErrorAction Stop | Out-Null
    Start-ScheduledTask -TaskPath '\dtam\' -TaskName $task -ErrorAction Stop
}
[pscustomobject]@{ changed = $true }
