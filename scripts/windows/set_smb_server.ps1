#Requires -Version 5.1
<#
.SYNOPSIS
Set options of the Server service for SMB.
.DESCRIPTION
Each option by its name as Set-SmbServerConfiguration has it. Only what differs is set. Clients stay connected.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)][object]$options
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

$now = Get-SmbServerConfiguration -ErrorAction Stop
foreach ($property in $options.PSObject.Properties) {
    if ($now.PSObject.Properties[$property.Name].Value -ne $property.Value) {
        $wanted = @{ Force = $true; Confirm = $false; ErrorAction = 'Stop' }
        $wanted[$property.Name] = $property.Value
        Set-SmbServerConfiguration @wanted
    }
}
[pscustomobject]@{ changed = $true }
