<#
.SYNOPSIS
Let clients in at a port of the firewall, or remove the rule that did.
.DESCRIPTION
The rule has a name of dtam's own; rules of others are left as they are.
.PARAMETER protocol
tcp or udp.
.PARAMETER port
The port.
.PARAMETER open
Whether clients are to be let in by dtam's rule.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)][string]$protocol,
    [Parameter(Mandatory = $true)][int]$port,
    [Parameter(Mandatory = $true)][bool]$open
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

$upper = $protocol.ToUpper()
$name = "dtam-$protocol-$port"
$rules = @(Get-NetFirewallRule -Name $name -ErrorAction SilentlyContinue)
if ($open -and -not $rules) {
    $null = New-NetFirewallRule -Name $name -DisplayName "dtam $protocol $port" -Direction Inbound -Protocol $upper -LocalPort $port -Action Allow -Enabled True -ErrorAction Stop
}
if ($open -and $rules) { Set-NetFirewallRule -Name $name -Enabled True -ErrorAction Stop }
if (-not $open -and $rules) { Remove-NetFirewallRule -Name $name -ErrorAction Stop }
[pscustomobject]@{ changed = $true }
