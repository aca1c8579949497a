<#
.SYNOPSIS
Who asks here with which rights, which policies hold for scripts, and what this computer is. Changes nothing.
.DESCRIPTION
This text is sent by dtam doctor, never laid. Answers are JSON lines; a part that cannot be asked is {"part": "problem", "of", "says"}.
#>
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
[Console]::OutputEncoding = New-Object -TypeName System.Text.UTF8Encoding -ArgumentList $false

function Out-DtamPart {
    param([string] $Of, [scriptblock] $Question)
    try {
        & $Question | ForEach-Object {
            $_['part'] = $Of
            ConvertTo-Json -InputObject $_ -Compress -Depth 4
        }
    } catch {
        @{ part = 'problem'; of = $Of; says = [string]$_.Exception.Message } | ConvertTo-Json -Compress
    }
}

function Get-DtamSeconds {
    param([datetime] $Time)
    ($Time.ToUniversalTime() - [datetime]::SpecifyKind([datetime]'1970-01-01', 'Utc')).TotalSeconds
}

Out-DtamPart 'clock' { @{ time_s = Get-DtamSeconds ([datetime]::UtcNow) } }
Out-DtamPart 'account' {
    $identity = [System.Security.Principal.WindowsIdentity]::GetCurrent()
    $principal = New-Object -TypeName System.Security.Principal.WindowsPrincipal -ArgumentList $identity
    @{ name = [string]$identity.Name; elevated = $principal.IsInRole([System.Security.Principal.WindowsBuiltInRole]'Administrator') }
}
Out-DtamPart 'policies' {
    $scopes = @(Get-ExecutionPolicy -List | ForEach-Object { "$($_.Scope) $($_.ExecutionPolicy)" })
    @{ scopes = $scopes; effective = [string](Get-ExecutionPolicy) }
}
Out-DtamPart 'computer' {
    $computer = Get-CimInstance -ClassName Win32_ComputerSystem
    $os = Get-CimInstance -ClassName Win32_OperatingSystem
    $pending = Test-Path -Path 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending'
    @{
        name = [string]$computer.Name
        member = [bool]$computer.PartOfDomain
        domain = [string]$computer.Domain
        os = [string]$os.Caption
        version = [string]$os.Version
        sku = [int]$os.OperatingSystemSKU
        restart_pending = [bool]$pending
    }
}
Out-DtamPart 'access lists' {
    @{
        program_files = [string](Get-Acl -LiteralPath $env:ProgramFiles).Sddl
        tasks = [string](Get-Acl -LiteralPath (Join-Path -Path $env:SystemRoot -ChildPath 'System32\Tasks')).Sddl
    }
}
@{ dtam = 'end' } | ConvertTo-Json -Compress
