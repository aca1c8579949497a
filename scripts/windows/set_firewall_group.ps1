<#
.SYNOPSIS
Enable or disable the inbound rules of a group of the firewall.
.DESCRIPTION
The group by the name that is the same in every language, such as @FirewallAPI.dll,-28502.
.PARAMETER group
The group of rules, as the firewall names it in every language.
.PARAMETER enabled
Whether the rules are to be enabled.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)][string]$group,
    [Parameter(Mandatory = $true)][bool]$enabled
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

$word = if ($enabled) { 'True' } else { 'False' }
$rules = @(Get-NetFirewallRule -Group $group -ErrorAction Stop | Where-Object { ($_.Direction -eq 'Inbound') -and ([string]$_.Enabled -ne $word) })
foreach ($rule in $rules) { Set-NetFirewallRule -Name $rule.Name -Enabled $word -ErrorAction Stop }
[pscustomobject]@{ changed = $rules.Count }
