<#
.SYNOPSIS
Let an interface register its addresses in DNS by itself, or not.
.DESCRIPTION
A server that was failed over and comes back would lead clients to itself again.
.PARAMETER interface
The interface by its alias.
.PARAMETER registers
Whether it is to register its addresses.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)][string]$interface,
    [Parameter(Mandatory = $true)][bool]$registers
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

Set-DnsClient -InterfaceAlias $interface -RegisterThisConnectionsAddress $registers -Confirm:$false -ErrorAction Stop
[pscustomobject]@{ changed = $true }
