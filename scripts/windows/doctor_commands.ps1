<#
.SYNOPSIS
Whether the commands that dtam uses are here with the parameters that it gives, and the settings of WinRM. Changes nothing.
.DESCRIPTION
This text is sent by dtam doctor, never laid. The request is {"modules": {MODULE: {COMMAND: [PARAMETER]}}, "settings": [PATH below WSMan:\localhost]}.
Answers are JSON lines: one a module (found, missing: commands, lacking: parameters), one a setting (value, why).
#>
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
[Console]::OutputEncoding = New-Object -TypeName System.Text.UTF8Encoding -ArgumentList $false
$request = [Console]::In.ReadToEnd() | ConvertFrom-Json
foreach ($module in @($request.modules.PSObject.Properties)) {
    $count = 0
    $missing = @()
    $lacking = @()
    foreach ($one in @($module.Value.PSObject.Properties)) {
        $found = @(Get-Command -Name $one.Name -ErrorAction SilentlyContinue)
        if ($found.Count -eq 0) {
            $missing += $one.Name
            continue
        }
        $count += 1
        $known = @($found[0].Parameters.Keys)
        $lacking += @($one.Value | Where-Object { $known -notcontains $_ } | ForEach-Object { "$($one.Name) -$_" })
    }
    @{ part = 'module'; name = $module.Name; found = $count; missing = $missing; lacking = $lacking } | ConvertTo-Json -Compress
}
foreach ($name in @($request.settings)) {
    $value = ''
    $why = ''
    try {
        $value = [string](Get-Item -LiteralPath "WSMan:\localhost\$name").Value
    } catch {
        $why = $_.Exception.Message
    }
    @{ part = 'setting'; name = $name; value = $value; why = $why } | ConvertTo-Json -Compress
}
@{ dtam = 'end' } | ConvertTo-Json -Compress
