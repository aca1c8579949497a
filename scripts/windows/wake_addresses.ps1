<#
.SYNOPSIS
Use addresses of this server again that another server has given back, or use them no more.
.DESCRIPTION
A server that comes back while another one has its address finds it to be a duplicate, and Windows leaves it so for as long as the server
runs. Such an address is taken off and put on again, and waited for. One that is in use is left as it is; one that was leased is not touched.
.PARAMETER Address
Each with address, prefix and interface.
.PARAMETER Wanted
In use, or taken off. Left out: only told.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)]$Address,
    [ValidateSet('', 'used', 'off')][string]$Wanted = ''
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

function Get-Own {
    param([string]$Text)

    Get-NetIPAddress -ErrorAction Stop | Where-Object { $_.IPAddress -eq $Text }
}

function Remove-Own {
    param($Own)

    Remove-NetIPAddress -IPAddress $Own.IPAddress -InterfaceIndex $Own.InterfaceIndex -Confirm:$false -ErrorAction Stop
}

function Wait-Own {
    param([string]$Text)

    $state = ''
    for ($turn = 0; $state -ne 'Preferred'; $turn++) {
        $state = @(Get-Own -Text $Text | ForEach-Object { "$($_.AddressState)" }) -join ', '
        if ($state -eq 'Duplicate') { throw "$Text is still in use by another server" }
        if ($turn -ge 150) { throw "$Text is '$state' after 30 s, not Preferred" }
        if ($state -ne 'Preferred') { Start-Sleep -Milliseconds 200 }
    }
}

foreach ($one in @($Address)) {
    $own = @(Get-Own -Text $one.address)
    $leased = $own.Count -gt 0 -and "$($own[0].PrefixOrigin)" -eq 'Dhcp'
    $state = ''
    if ($own.Count -gt 0) { $state = "$($own[0].AddressState)" }
    if ($Wanted -eq 'off' -and $own.Count -gt 0 -and -not $leased) {
        Remove-Own -Own $own[0]
        $state = ''
    }
    if ($Wanted -eq 'used' -and -not $leased -and @('Preferred', 'Tentative') -notcontains $state) {
        $skip = $false
        if ($own.Count -gt 0) {
            $skip = [bool]$own[0].SkipAsSource
            Remove-Own -Own $own[0]
        }
        $null = New-NetIPAddress -IPAddress $one.address -PrefixLength $one.prefix -InterfaceAlias $one.interface `
            -SkipAsSource $skip -Confirm:$false -ErrorAction Stop
    }
    if ($Wanted -eq 'used' -and -not $leased) {
        Wait-Own -Text $one.address
        $state = 'Preferred'
    }
    [pscustomobject]@{ address = "$($one.address)"; state = $state; leased = [bool]$leased }
}
