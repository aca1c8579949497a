<#
.SYNOPSIS
Who this host is, its addresses, and what is known of some paths.
.PARAMETER Path
Full paths to look at.
.OUTPUTS
{"hostname", "addresses": [[address, interface]], "paths": [...], "time_s"}
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
$epoch = [datetime]::SpecifyKind([datetime]'1970-01-01', 'Utc')
[pscustomobject]@{
    hostname = [string]$env:COMPUTERNAME
    addresses = $addresses
    paths = @($Path | ForEach-Object { Get-DtamPath $_ })
    time_s = ([datetime]::UtcNow - $epoch).TotalSeconds
}
