<#
.SYNOPSIS
Services, the settings of the SMB server, ports that are listened on, the secure channel, Storage Replica. Changes nothing.
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

Out-DtamPart 'services' {
    foreach ($name in 'WinRM', 'Schedule', 'LanmanServer', 'Netlogon', 'W32Time') {
        $found = @(Get-CimInstance -ClassName Win32_Service -Filter "Name='$name'")
        $mode = if ($found.Count) { [string]$found[0].StartMode } else { '' }
        $state = if ($found.Count) { [string]$found[0].State } else { '' }
        @{ name = $name; start = $mode; state = $state }
    }
}
Out-DtamPart 'SMB server' {
    $found = Get-SmbServerConfiguration -ErrorAction Stop
    @{
        EnableSMB2Protocol = [bool]$found.EnableSMB2Protocol
        SmbServerNameHardeningLevel = [int]$found.SmbServerNameHardeningLevel
        EnableStrictNameChecking = [bool]$found.EnableStrictNameChecking
        RejectUnencryptedAccess = [bool]$found.RejectUnencryptedAccess
    }
}
Out-DtamPart 'ports' {
    $open = @(Get-NetTCPConnection -State Listen -ErrorAction Stop | ForEach-Object { [int]$_.LocalPort })
    @{ open = @(445, 5985, 5986 | Where-Object { $open -contains $_ }) }
}
Out-DtamPart 'secure channel' { @{ holds = [bool](Test-ComputerSecureChannel) } }
Out-DtamPart 'Storage Replica' {
    $feature = @(Get-WindowsFeature -Name 'Storage-Replica' -ErrorAction Stop)
    $state = if ($feature.Count) { [string]$feature[0].InstallState } else { 'unknown here' }
    $groups = @()
    if ($state -eq 'Installed') {
        $groups = @(Get-SRGroup -ErrorAction Stop | ForEach-Object { "$($_.Name): $($_.ReplicationStatus)" })
        $ways = @(Get-SRPartnership -ErrorAction Stop | ForEach-Object { "$($_.SourceRGName) to $($_.DestinationRGName)" })
    } else { $ways = @() }
    @{ state = $state; groups = $groups; partnerships = $ways }
}
@{ dtam = 'end' } | ConvertTo-Json -Compress
