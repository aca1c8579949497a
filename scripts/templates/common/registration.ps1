# --- registration of network interfaces in DNS; what it was before is on disk first
function Get-OneDnsClient {
    param([string]$Interface)

    $found = @(Get-DnsClient -ErrorAction Stop | Where-Object { $_.InterfaceAlias -eq $Interface })
    if ($found.Count -eq 0) {
        throw "there is no network interface $Interface on this server"
    }
    $found[0]
}

function Test-Registration {
    param([string[]]$Interfaces, [bool]$Wanted)

    @($Interfaces | Where-Object { (Get-OneDnsClient -Interface $_).RegisterThisConnectionsAddress -ne $Wanted }).Count -eq 0
}

function Set-Registration {
    param([string]$Interface, [bool]$Wanted)

    $index = (Get-OneDnsClient -Interface $Interface).InterfaceIndex
    Set-DnsClient -InterfaceIndex $index -RegisterThisConnectionsAddress $Wanted -Confirm:$false -ErrorAction Stop
    '{0} registers in DNS: {1}' -f $Interface, $Wanted
}

function Set-AllRegistration {
    param([string[]]$Interfaces, [bool]$Wanted, [string]$What)

    foreach ($interface in $Interfaces) {
        $former = [bool](Get-OneDnsClient -Interface $interface).RegisterThisConnectionsAddress
        if ($former -ne $Wanted) {
            Add-Taken -What $What -Value ([ordered]@{ kind = 'registers'; interface = $interface; former = $former })
            Set-Registration -Interface $interface -Wanted $Wanted
        }
    }
}

function Restore-AllRegistration {
    param([string]$What)

    foreach ($line in @(Get-Taken -What $What)) {
        Set-Registration -Interface $line.interface -Wanted $line.former
    }
    Close-Taken -What $What
}
