# --- addresses: nobody may answer for one that is taken; each is on disk before it is added, and goes with a restart of this server
function Get-OwnAddress {
    param([string]$Address)

    Get-NetIPAddress -ErrorAction Stop | Where-Object { $_.IPAddress -eq $Address }
}

function Test-Address {
    param($One)

    @(Get-OwnAddress -Address $One['address'] |
            Where-Object { $_.InterfaceAlias -eq $One['interface'] -and $_.AddressState -eq 'Preferred' }).Count -gt 0
}

function Test-AllAddresses {
    param($Document)

    @($Document['addresses'] | Where-Object { -not (Test-Address -One $_) }).Count -eq 0
}

# Whether the interface itself reaches the address's subnet, without a router.
function Test-OnLink {
    param($One)

    @(Get-NetRoute -ErrorAction Stop | Where-Object {
            $_.InterfaceAlias -eq $One['interface'] -and $_.DestinationPrefix -eq $One['network'] -and @('0.0.0.0', '::') -contains $_.NextHop
        }).Count -gt 0
}

# Whether the interface has its own IPv4 address by DHCP, which a manual one beside it would turn off.
function Test-Dhcp {
    param($One)

    $One['address'] -like '*.*' -and @(Get-NetIPInterface -ErrorAction Stop | Where-Object {
            $_.InterfaceAlias -eq $One['interface'] -and "$($_.AddressFamily)" -eq 'IPv4' -and "$($_.Dhcp)" -eq 'Enabled'
        }).Count -gt 0
}

# The hardware address of whoever answers for an address now. What is remembered of it is forgotten first, so that only an answer counts.
function Get-Answerer {
    param($One)

    $known = @(Get-NetNeighbor -ErrorAction Stop | Where-Object { $_.IPAddress -eq $One['address'] -and $_.InterfaceAlias -eq $One['interface'] })
    foreach ($neighbour in $known) {
        Remove-NetNeighbor -IPAddress $neighbour.IPAddress -InterfaceAlias $neighbour.InterfaceAlias -Confirm:$false -ErrorAction Stop
    }
    $null = Test-Connection -ComputerName $One['address'] -Count 2 -Quiet
    Get-NetNeighbor -ErrorAction Stop | Where-Object {
        $_.IPAddress -eq $One['address'] -and $_.InterfaceAlias -eq $One['interface'] -and
        "$($_.LinkLayerAddress)" -match '[1-9A-Fa-f]' -and @('Unreachable', 'Incomplete') -notcontains "$($_.State)"
    } | ForEach-Object { "$($_.LinkLayerAddress)" }
}

function Get-AddressProblem {
    param($Document, [bool]$Asking)

    foreach ($one in $Document['addresses']) {
        $here = @(Get-OwnAddress -Address $one['address'])
        if ($here.Count -gt 0) {
            if ($here[0].InterfaceAlias -ne $one['interface']) {
                "$($one['address']) is on $($here[0].InterfaceAlias) here, not on $($one['interface'])"
            }
        } elseif (-not $Document['across_subnets'] -and -not (Test-OnLink -One $one)) {
            "$($one['interface']) is not in $($one['network']): routers would not send packets for $($one['address']) here"
        } elseif (Test-Dhcp -One $one) {
            "$($one['interface']) has its own address by DHCP, which Windows would turn off: give it a fixed one first"
        } elseif ($Asking -and $Document['conflict_check']) {
            $answerer = @(Get-Answerer -One $one)
            if ($answerer.Count -gt 0) {
                "$($one['address']) is answered for by $($answerer -join ', ')"
            }
        }
    }
}

# Wait until the system itself found nobody else with the address.
function Wait-Address {
    param($One)

    $end = [datetime]::UtcNow.AddSeconds(30)
    while (-not (Test-Address -One $One)) {
        $state = @(Get-OwnAddress -Address $One['address'] | ForEach-Object { "$($_.AddressState)" }) -join ', '
        if ($state -eq 'Duplicate') {
            Remove-Address -Address $One['address'] -Interface $One['interface']
            throw "$($One['address']) is in use by another server: it is removed here again"
        }
        if ([datetime]::UtcNow -ge $end) {
            throw "$($One['address']) is '$state' after 30 s, not Preferred"
        }
        Start-Sleep -Milliseconds 200
    }
}

function Add-AllAddresses {
    param($Document)

    $problems = @(Get-AddressProblem -Document $Document -Asking $true)
    if ($problems.Count -gt 0) {
        throw ($problems -join '; ')
    }
    foreach ($one in $Document['addresses']) {
        if (@(Get-OwnAddress -Address $one['address']).Count -eq 0) {
            Add-Taken -What 'addresses' -Value ([ordered]@{ kind = 'address'; address = $one['address']; interface = $one['interface'] })
            $null = New-NetIPAddress -IPAddress $one['address'] -PrefixLength $one['prefix'] -InterfaceAlias $one['interface'] `
                -SkipAsSource $true -PolicyStore ActiveStore -Confirm:$false -ErrorAction Stop
            "$($one['address'])/$($one['prefix']) added to $($one['interface'])"
        }
        Wait-Address -One $one
    }
}

function Remove-Address {
    param([string]$Address, [string]$Interface)

    if (@(Get-OwnAddress -Address $Address | Where-Object { $_.InterfaceAlias -eq $Interface }).Count -gt 0) {
        Remove-NetIPAddress -IPAddress $Address -InterfaceAlias $Interface -Confirm:$false -ErrorAction Stop
        "$Address removed from $Interface"
    }
}

# Exactly those that were added are removed.
function Remove-AllAddresses {
    foreach ($line in @(Get-Taken -What 'addresses')) {
        Remove-Address -Address $line.address -Interface $line.interface
    }
    Close-Taken -What 'addresses'
}

function Show-AllAddresses {
    param($Document)

    Get-AddressProblem -Document $Document -Asking $false
    foreach ($one in $Document['addresses']) {
        "$($one['address'])/$($one['prefix']) on $($one['interface'])"
    }
}
