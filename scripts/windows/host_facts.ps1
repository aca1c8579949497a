<#
.SYNOPSIS
Who this host is, its addresses, what listens, and what is known of some paths.
.PARAMETER Path
Full paths to look at.
.OUTPUTS
{"hostname", "addresses": [[address, interface]], "listening": ["address:port"], "paths": [...], "time_s"}
#>
[CmdletBinding()]
param([string[]] $Path = @())
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

function Get-DtamPath {
    param([string] $Wanted)
    $item = Get-Item -LiteralPath $Wanted -Force -ErrorAction SilentlyContinue
    $facts = [ordered]@{ path = $Wanted; exists = [bool]$item; kind = 'absent'; bytes = $null; free_bytes = $null; fs = ''; entries = $null }
    if ($item) {
        $facts.kind = if ($item.PSIsContainer) { 'directory' } else { 'file' }
        if ($item.PSIsContainer) {
            $facts.entries = @(Get-ChildItem -LiteralPath $Wanted -Force).Count
        } else {
            $facts.bytes = $item.Length
        }
    }
    $volume = Get-Volume -FilePath $Wanted -ErrorAction SilentlyContinue
    if ($volume) {
        $facts.free_bytes = [long]$volume.SizeRemaining
        $facts.fs = [string]$volume.FileSystem
    }
    [pscustomobject]$facts
}

$addresses = @(Get-NetIPAddress -ErrorAction Stop | Where-Object { [string]$_.InterfaceAlias -notlike 'Loopback*' } |
    ForEach-Object { , @([string]$_.IPAddress, [string]$_.InterfaceAlias) })
$listening = @(Get-NetTCPConnection -State Listen -ErrorAction SilentlyContinue |
    ForEach-Object { "$($_.LocalAddress):$($_.LocalPort)" } | Sort-Object -Unique)
$epoch = [datetime]::SpecifyKind([datetime]'1970-01-01', 'Utc')
[pscustomobject]@{
    hostname = [string]$env:COMPUTERNAME
    addresses = $addresses
    listening = $listening
    paths = @($Path | ForEach-Object { Get-DtamPath $_ })
    time_s = ([datetime]::UtcNow - $epoch).TotalSeconds
}
