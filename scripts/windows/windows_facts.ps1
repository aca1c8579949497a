<#
.SYNOPSIS
What this Windows host is: computer, services, shares, addresses, volumes, and what is asked for. Nothing is changed.
.DESCRIPTION
Each part is an object of its own: {"part": NAME, ...}; a part that cannot be asked is {"part": "problem", "of", "says"}.
.PARAMETER Services
Services to describe with what they need and what needs them; all of them when none is named.
.PARAMETER Registry
Values to read: objects with key and name.
.PARAMETER FirewallGroups
Groups of rules, as rules name them.
.PARAMETER FirewallPorts
Ports to look for in inbound rules, such as "tcp 1433".
.PARAMETER Events
Events to read: objects with log, ids, limit, within_s.
.PARAMETER Sids
Security identifiers to be given names.
.PARAMETER Modules
Modules to look for.
.PARAMETER Commands
Commands to look for.
#>
[CmdletBinding()]
param(
    [string[]] $Services = @(),
    $Registry = @(),
    [string[]] $FirewallGroups = @(),
    [string[]] $FirewallPorts = @(),
    $Events = @(),
    [string[]] $Sids = @(),
    [string[]] $Modules = @(),
    [string[]] $Commands = @()
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

function Get-DtamSeconds {
    param([datetime] $Time)
    ($Time.ToUniversalTime() - [datetime]::SpecifyKind([datetime]'1970-01-01', 'Utc')).TotalSeconds
}

function Get-DtamComputer {
    $roles = 'standalone-workstation', 'member-workstation', 'standalone-server', 'member-server', 'backup-domain-controller', 'primary-domain-controller'
    $computer = Get-CimInstance -ClassName Win32_ComputerSystem
    $os = Get-CimInstance -ClassName Win32_OperatingSystem
    $identity = [System.Security.Principal.WindowsIdentity]::GetCurrent()
    $principal = New-Object -TypeName System.Security.Principal.WindowsPrincipal -ArgumentList $identity
    $member = [bool]$computer.PartOfDomain
    $pending = Test-Path -Path 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending'
    [pscustomobject]@{
        part = 'computer'
        computer_name = [string]$computer.Name
        dns_name = if ($member) { "$($computer.DNSHostName).$($computer.Domain)" } else { [string]$computer.DNSHostName }
        domain = if ($member) { [string]$computer.Domain } else { '' }
        workgroup = if ($member) { '' } else { [string]$computer.Workgroup }
        role = $roles[[int]$computer.DomainRole]
        os_name = [string]$os.Caption
        os_version = [string]$os.Version
        edition = [string]$os.OperatingSystemSKU
        boot_at_s = Get-DtamSeconds $os.LastBootUpTime
        powershell_version = [string]$PSVersionTable.PSVersion
        language_mode = [string]$ExecutionContext.SessionState.LanguageMode
        execution_policy = [string](Get-ExecutionPolicy)
        account = [string]$identity.Name
        elevated = $principal.IsInRole([System.Security.Principal.WindowsBuiltInRole]'Administrator')
        pending_reboot = [bool]$pending
        time_s = Get-DtamSeconds ([datetime]::UtcNow)
    }
}

function Get-DtamServicePart {
    $kinds = @{ Auto = 'automatic'; Manual = 'manual'; Disabled = 'disabled'; Boot = 'boot'; System = 'system' }
    $names = @{ Running = 'running'; Stopped = 'stopped'; StartPending = 'start-pending'; StopPending = 'stop-pending'; Paused = 'paused'; PausePending = 'pause-pending'; ContinuePending = 'continue-pending' }
    $wmi = @{}
    foreach ($one in @(Get-CimInstance -ClassName Win32_Service)) { $wmi[[string]$one.Name] = $one }
    $found = if ($Services) { @(Get-Service -Name $Services -ErrorAction SilentlyContinue) } else { @(Get-Service) }
    foreach ($one in $found) {
        $more = $wmi[[string]$one.Name]
        [pscustomobject]@{
            part = 'services'
            name = [string]$one.Name
            display_name = [string]$one.DisplayName
            state = [string]$names[[string]$one.Status]
            start_type = if ($more) { [string]$kinds[[string]$more.StartMode] } else { ([string]$one.StartType).ToLowerInvariant() }
            account = if ($more) { [string]$more.StartName } else { '' }
            needs = @($one.ServicesDependedOn | ForEach-Object { [string]$_.Name })
            dependents = @($one.DependentServices | ForEach-Object { [string]$_.Name })
            can_stop = [bool]$one.CanStop
        }
    }
}

function Get-DtamSharePart {
    foreach ($one in @(Get-SmbShare -ErrorAction Stop)) {
        [pscustomobject]@{
            part = 'shares'
            name = [string]$one.Name
            path = [string]$one.Path
            description = [string]$one.Description
            scope = [string]$one.ScopeName
            kind = [string]$one.ShareType
            special = [bool]$one.Special
            options = [pscustomobject]@{
                FolderEnumerationMode = [string]$one.FolderEnumerationMode
                CachingMode = [string]$one.CachingMode
                ConcurrentUserLimit = [long]$one.ConcurrentUserLimit
                EncryptData = [bool]$one.EncryptData
                ContinuouslyAvailable = [bool]$one.ContinuouslyAvailable
                CATimeout = [long]$one.CATimeout
            }
            sddl = [string]$one.SecurityDescriptor
        }
    }
}

function Get-DtamServerPart {
    $found = Get-SmbServerConfiguration -ErrorAction Stop
    [pscustomobject]@{
        part = 'smb_server'
        EnableStrictNameChecking = [bool]$found.EnableStrictNameChecking
        SmbServerNameHardeningLevel = [int]$found.SmbServerNameHardeningLevel
        EnableSMB1Protocol = [bool]$found.EnableSMB1Protocol
        EnableSMB2Protocol = [bool]$found.EnableSMB2Protocol
        RequireSecuritySignature = [bool]$found.RequireSecuritySignature
        EnableSecuritySignature = [bool]$found.EnableSecuritySignature
        EncryptData = [bool]$found.EncryptData
        RejectUnencryptedAccess = [bool]$found.RejectUnencryptedAccess
        AutoShareServer = [bool]$found.AutoShareServer
        ServerHidden = [bool]$found.ServerHidden
    }
}

function Get-DtamAddressPart {
    foreach ($one in @(Get-NetIPAddress -ErrorAction Stop | Where-Object { [string]$_.InterfaceAlias -notlike 'Loopback*' })) {
        [pscustomobject]@{
            part = 'addresses'
            address = [string]$one.IPAddress
            prefix = [int]$one.PrefixLength
            interface = [string]$one.InterfaceAlias
            interface_index = [int]$one.InterfaceIndex
            dynamic = [string]$one.PrefixOrigin -eq 'Dhcp'
            state = ([string]$one.AddressState).ToLowerInvariant()
            skip_as_source = [bool]$one.SkipAsSource
        }
    }
}

function Get-DtamDnsPart {
    foreach ($one in @(Get-DnsClient -ErrorAction Stop | Where-Object { [string]$_.InterfaceAlias -notlike 'Loopback*' })) {
        $asked = @(Get-DnsClientServerAddress -InterfaceIndex $one.InterfaceIndex -ErrorAction SilentlyContinue)
        [pscustomobject]@{
            part = 'dns_clients'
            interface = [string]$one.InterfaceAlias
            servers = @($asked | ForEach-Object { $_.ServerAddresses } | ForEach-Object { [string]$_ })
            registers = [bool]$one.RegisterThisConnectionsAddress
            suffix = [string]$one.ConnectionSpecificSuffix
        }
    }
}

function Get-DtamVolumePart {
    $mounts = @{}
    foreach ($one in @(Get-Partition -ErrorAction SilentlyContinue)) {
        foreach ($path in @($one.AccessPaths | Where-Object { $_ })) { $mounts[[string]$path] = $one }
    }
    foreach ($one in @(Get-Volume -ErrorAction Stop)) {
        $id = [string]$one.UniqueId
        $partition = $mounts[$id]
        $paths = @()
        if ($partition) { $paths = @($partition.AccessPaths | Where-Object { $_ -and [string]$_ -ne $id } | ForEach-Object { [string]$_ }) }
        $letter = ([string]$one.DriveLetter).Trim([char]0)
        if (-not $paths -and $letter) { $paths = @("${letter}:\") }
        [pscustomobject]@{
            part = 'volumes'
            letter = $letter
            label = [string]$one.FileSystemLabel
            fs = [string]$one.FileSystem
            bytes = [long]$one.Size
            free_bytes = [long]$one.SizeRemaining
            disk = if ($partition) { [int]$partition.DiskNumber } else { $null }
            unique_id = $id
            paths = $paths
            health = [string]$one.HealthStatus
        }
    }
}

function Get-DtamDiskPart {
    foreach ($one in @(Get-Disk -ErrorAction Stop)) {
        [pscustomobject]@{
            part = 'disks'
            number = [int]$one.Number
            name = [string]$one.FriendlyName
            bytes = [long]$one.Size
            partition_style = [string]$one.PartitionStyle
            sector_bytes = [long]$one.LogicalSectorSize
            offline = [bool]$one.IsOffline
            read_only = [bool]$one.IsReadOnly
            clustered = [bool]$one.IsClustered
        }
    }
}

function Get-DtamValue {
    param($Wanted)
    $name = [string]$Wanted.name
    $value = $null
    $found = Get-ItemProperty -LiteralPath ([string]$Wanted.key) -Name $name -ErrorAction SilentlyContinue
    if ($found) { $value = $found.PSObject.Properties[$name].Value }
    $kind = ''
    if ($value -is [string]) { $kind = 'String' }
    elseif ($value -is [int]) { $kind = 'DWord' }
    elseif ($value -is [long]) { $kind = 'QWord' }
    elseif ($value -is [byte[]]) { $kind = 'Binary' }
    elseif ($found) { $kind = 'MultiString' }
    if ($kind -eq 'MultiString') { $value = @($value | ForEach-Object { [string]$_ }) }
    if ($kind -eq 'Binary') { $value = [Convert]::ToBase64String($value) }
    [pscustomobject]@{
        part = 'registry'
        key = [string]$Wanted.key
        name = $name
        exists = [bool]$found
        kind = $kind
        value = $value
    }
}

function Get-DtamOptionalName {
    $key = 'HKLM:\SYSTEM\CurrentControlSet\Services\LanmanServer\Parameters'
    $found = Get-ItemProperty -LiteralPath $key -Name 'OptionalNames' -ErrorAction SilentlyContinue
    $names = @()
    if ($found) { $names = @($found.OptionalNames | ForEach-Object { ([string]$_).Split(' ') } | Where-Object { $_ }) }
    [pscustomobject]@{ part = 'optional_names'; names = $names }
}

function Get-DtamFirewall {
    param([string] $Group)
    $rules = @(Get-NetFirewallRule -Group $Group -ErrorAction SilentlyContinue)
    $open = @($rules | Where-Object { [string]$_.Direction -eq 'Inbound' -and [string]$_.Enabled -eq 'True' })
    [pscustomobject]@{
        part = 'firewall'
        group = $Group
        display_name = if ($rules) { [string]$rules[0].DisplayGroup } else { '' }
        rules = $rules.Count
        enabled_inbound = $open.Count
    }
}

function Test-DtamPort {
    param($Filter, [int] $Port)
    foreach ($one in @($Filter.LocalPort)) {
        if ([string]$one -eq 'Any') { return $true }
        $ends = ([string]$one).Split('-')
        $first = $ends[0] -as [int]
        $last = $ends[-1] -as [int]
        if ($null -ne $first -and $null -ne $last -and $Port -ge $first -and $Port -le $last) { return $true }
    }
    return $false
}

function Get-DtamFirewallPort {
    param([string] $Wanted)
    $words = $Wanted.Split(' ')
    $protocol = $words[0]
    $port = [int]$words[1]
    $filters = @(Get-NetFirewallPortFilter -ErrorAction SilentlyContinue | Where-Object { ([string]$_.Protocol -eq $protocol -or [string]$_.Protocol -eq 'Any') -and (Test-DtamPort -Filter $_ -Port $port) })
    $names = @($filters | ForEach-Object { [string]$_.InstanceID })
    $rules = @(Get-NetFirewallRule -ErrorAction SilentlyContinue | Where-Object { [string]$_.Direction -eq 'Inbound' -and [string]$_.Enabled -eq 'True' -and $names -contains [string]$_.Name })
    $allow = @($rules | Where-Object { [string]$_.Action -eq 'Allow' } | ForEach-Object { [string]$_.Name })
    $active = @(Get-NetFirewallProfile -ErrorAction Stop | Where-Object { [string]$_.Enabled -eq 'True' })
    [pscustomobject]@{
        part = 'firewall_ports'
        protocol = $protocol
        port = $port
        rules = @(if ($active) { $allow } else { '(the firewall is off)' })
        blocked = @($rules | Where-Object { [string]$_.Action -eq 'Block' }).Count -gt 0
    }
}

function Get-DtamEvent {
    param($Wanted)
    $filter = @{ LogName = [string]$Wanted.log; StartTime = (Get-Date).AddSeconds(-[double]$Wanted.within_s)
}
    if (@($Wanted.ids)) { $filter.ID = @($Wanted.ids) }
    foreach ($one in @(Get-WinEvent -FilterHashtable $filter -MaxEvents ([int]$Wanted.limit) -ErrorAction SilentlyContinue)) {
        [pscustomobject]@{
            part = 'events'
            log = [string]$one.LogName
            id = [int]$one.Id
            source = [string]$one.ProviderName
            level = [string]$one.LevelDisplayName
            at_s = Get-DtamSeconds $one.TimeCreated
            message = [string]$one.Message
        }
    }
}

function Get-DtamHostsLine {
    $path = Join-Path -Path $env:SystemRoot -ChildPath 'System32\drivers\etc\hosts'
    if (-not (Test-Path -LiteralPath $path)) { return }
    foreach ($line in @(Get-Content -LiteralPath $path)) {
        $words = @(([string]$line -replace '#.*$', '').Trim() -split '\s+' | Where-Object { $_ })
        if ($words.Count -gt 1) {
            [pscustomobject]@{ part = 'hosts'; address = $words[0]; names = @($words[1..($words.Count - 1)] | ForEach-Object { $_.ToLowerInvariant() }) }
        }
    }
}

function Get-DtamTask {
    foreach ($one in @(Get-ScheduledTask -TaskPath '\dtam\' -ErrorAction SilentlyContinue)) {
        $info = Get-ScheduledTaskInfo -TaskPath '\dtam\' -TaskName $one.TaskName -ErrorAction Stop
        [pscustomobject]@{ part = 'tasks'; name = [string]$one.TaskName; state = [string]$one.State; last_result = [long]$info.LastTaskResult }
    }
}

function Get-DtamSidPart {
    $local = ''
    $account = Get-CimInstance -ClassName Win32_UserAccount -Filter "LocalAccount=True" | Select-Object -First 1
    if ($account) { $local = ([string]$account.SID) -replace '-\d+$', '' }
    $strange = @(foreach ($sid in $Sids) {
        try {
            $null = (New-Object -TypeName System.Security.Principal.SecurityIdentifier -ArgumentList $sid).Translate([System.Security.Principal.NTAccount])
        } catch {
            $sid
        }
    })
    [pscustomobject]@{ part = 'sids'; local_sid = $local; unresolved = $strange }
}

function Get-DtamPresence {
    $features = @()
    if (Get-Command -Name Get-WindowsFeature -ErrorAction SilentlyContinue) {
        $features = @(Get-WindowsFeature -ErrorAction Stop | Where-Object { [string]$_.InstallState -eq 'Installed' } | ForEach-Object { [string]$_.Name })
    }
    [pscustomobject]@{
        part = 'presence'
        features = $features
        missing_modules = @($Modules | Where-Object { -not (Get-Module -ListAvailable -Name $_) })
        missing_commands = @($Commands | Where-Object { -not (Get-Command -Name $_ -ErrorAction SilentlyContinue) })
    }
}

function Invoke-DtamPart {
    param([string] $Of, [scriptblock] $Question)
    try {
        & $Question
    } catch {
        [pscustomobject]@{ part = 'problem'; of = $Of; says = [string]$_.Exception.Message }
    }
}

Invoke-DtamPart 'computer' { Get-DtamComputer }
Invoke-DtamPart 'services' { Get-DtamServicePart }
Invoke-DtamPart 'shares' { Get-DtamSharePart }
Invoke-DtamPart 'the SMB server' { Get-DtamServerPart }
Invoke-DtamPart 'optional names' { Get-DtamOptionalName }
Invoke-DtamPart 'addresses' { Get-DtamAddressPart }
Invoke-DtamPart 'DNS clients' { Get-DtamDnsPart }
Invoke-DtamPart 'volumes' { Get-DtamVolumePart }
Invoke-DtamPart 'disks' { Get-DtamDiskPart }
Invoke-DtamPart 'the hosts file' { Get-DtamHostsLine }
Invoke-DtamPart 'scheduled tasks' { Get-DtamTask }
Invoke-DtamPart 'security identifiers' { Get-DtamSidPart }
Invoke-DtamPart 'features, modules and commands' { Get-DtamPresence }
foreach ($one in $Registry) { Invoke-DtamPart "$($one.key) $($one.name)" { Get-DtamValue $one } }
foreach ($one in $FirewallGroups) { Invoke-DtamPart "firewall group $one" { Get-DtamFirewall $one } }
foreach ($one in $FirewallPorts) { Invoke-DtamPart "firewall at $one" { Get-DtamFirewallPort $one } }
foreach ($one in $Events) { Invoke-DtamPart "event log $($one.log)" { Get-DtamEvent $one } }
