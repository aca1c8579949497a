<#
.SYNOPSIS
Set options of the Server service for SMB.
.DESCRIPTION
Each option by its name as Set-SmbServerConfiguration has it. Only what differs is set. Clients stay connected.
.PARAMETER options
The options with their values.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)]$options
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

$now = Get-SmbServerConfiguration -ErrorAction Stop
foreach ($property in $options.PSObject.Properties) {
    $value = $property.Value
    if ($now.PSObject.Properties[$property.Name].Value -eq $value) { continue }
    switch ($property.Name) {
        'EnableStrictNameChecking' { Set-SmbServerConfiguration -EnableStrictNameChecking $value -Force -Confirm:$false -ErrorAction Stop }
        'RequireSecuritySignature' { Set-SmbServerConfiguration -RequireSecuritySignature $value -Force -Confirm:$false -ErrorAction Stop }
        'EncryptData' { Set-SmbServerConfiguration -EncryptData $value -Force -Confirm:$false -ErrorAction Stop }
        default { throw "$($property.Name) is not an option that this script sets" }
    }
}
[pscustomobject]@{ changed = $true }
