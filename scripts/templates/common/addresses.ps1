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

function Test-SameNetwork {
    param([string]$One, [string]$Other, [int]$Prefix)

    $mine = ([ipaddress]$One).GetAddressBytes()
    $theirs = ([ipaddress]$Other).GetAddressBytes()
    if ($mine.Length -ne $theirs.Length) {
        return $false
    }
    for ($bit = 0; $bit -lt $Prefix; $bit++) {
        $byte = [int][math]::Floor($bit / 8)
        $place = 7 - $bit % 8
        if ((($mine[$byte] -shr $place) -band 1) -ne (($theirs[$byte] -shr $place) -band 1)) {
            return $false
        }
    }
    $true
}

# Whether the interface has an address in the wanted one's subnet, so that it reaches that without a router.
function Test-OnLink {
    param($One)

    @(Get-NetIPAddress -ErrorAction Stop | Where-Object {
            $_.InterfaceAlias -eq $One['interface'] -and (Test-SameNetwork -One $_.IPAddress -Other $One['address'] -Prefix $One['prefix'])
        }).Count -gt 0
}

# Whether the interface has its own IPv4 address by DHCP, which a manual one beside it would turn off.
function Test-Dhcp {
    param($One)

    $One['address'] -like '*.*' -and @(Get-NetIPAddress -ErrorAction Stop | Where-Object {
            $_.InterfaceAlias -eq $One['interface'] -and $_.IPAddress -like '*.*' -and "$($_.PrefixOrigin)" -eq 'Dhcp'
        }).Count -gt 0
}

# What is known of an address's neighbours; nothing is no failure.
function Get-Neighbour {
    param([string]$Address)

    Get-NetNeighbor -IPAddress $Address -ErrorAction SilentlyContinue | Where-Object {
        "$($_.LinkLayerAddress)" -match '[1-9A-Fa-f]' -and @('Unreachable', 'Incomplete') -notcontains "$($_.State)"
    }
}

# The hardware address of whoever answers for an address now. What is remembered of it is forgotten first, so that only an answer counts.
function Get-Answerer {
    param([string]$Address)

    foreach ($neighbour in @(Get-Neighbour -Address $Address)) {
        Remove-NetNeighbor -IPAddress $Address -InterfaceIndex $neighbour.InterfaceIndex -Confirm:$false -ErrorAction SilentlyContinue
    }
    $null = Test-Connection -ComputerName $Address -Count 2 -Quiet -ErrorAction SilentlyContinue
    Get-Neighbour -Address $Address | ForEach-Object { "$($_.LinkLayerAddress)" }
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
            $answerer = @(Get-Answerer -Address $one['address'])
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

    foreach ($own in @(Get-OwnAddress -Address $Address | Where-Object { $_.InterfaceAlias -eq $Interface })) {
        Remove-NetIPAddress -IPAddress $Address -InterfaceIndex $own.InterfaceIndex -Confirm:$false -ErrorAction Stop
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
