"""The services of a newly installed server, as far as a file server's story needs them.

Names, display names, start types and dependencies are those of Windows Server 2016 to 2025; drivers that services depend on are listed too,
because Get-Service -RequiredServices shows them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

SVCHOST = r"C:\Windows\system32\svchost.exe -k "
# name, display name, start type, required services, account, group of svchost
SERVICES = r"""
RpcEptMapper       | RPC Endpoint Mapper                       | Automatic             |                          | NT AUTHORITY\NetworkService | RPCSS -p
DcomLaunch         | DCOM Server Process Launcher              | Automatic             |                          | LocalSystem                 | DcomLaunch -p
RpcSs              | Remote Procedure Call (RPC)               | Automatic             | RpcEptMapper DcomLaunch  | NT AUTHORITY\NetworkService | rpcss -p
SamSs              | Security Accounts Manager                 | Automatic             | RpcSs                    | LocalSystem                 | lsass
EventLog           | Windows Event Log                         | Automatic             |                          | NT AUTHORITY\LocalService   | LocalServiceNetworkRestricted -p
nsi                | Network Store Interface Service           | Automatic             | RpcSs                    | NT AUTHORITY\LocalService   | LocalService -p
Dhcp               | DHCP Client                               | Automatic             | nsi                      | NT AUTHORITY\LocalService   | LocalServiceNetworkRestricted -p
Dnscache           | DNS Client                                | Automatic             | nsi                      | NT AUTHORITY\NetworkService | NetworkService -p
LanmanServer       | Server                                    | Automatic             | SamSs Srv2               | LocalSystem                 | netsvcs -p
LanmanWorkstation  | Workstation                               | Automatic             | nsi MRxSmb20             | NT AUTHORITY\NetworkService | NetworkService -p
Netlogon           | Netlogon                                  | Automatic             | LanmanWorkstation        | LocalSystem                 | lsass
W32Time            | Windows Time                              | Automatic             |                          | NT AUTHORITY\LocalService   | LocalService
Winmgmt            | Windows Management Instrumentation        | Automatic             | RpcSs                    | LocalSystem                 | netsvcs -p
WinRM              | Windows Remote Management (WS-Management) | Automatic             | RpcSs HTTP               | NT AUTHORITY\NetworkService | NetworkService -p
Schedule           | Task Scheduler                            | Automatic             | RpcSs SystemEventsBroker | LocalSystem                 | netsvcs -p
SystemEventsBroker | System Events Broker                      | Automatic             | RpcEptMapper RpcSs       | LocalSystem                 | DcomLaunch -p
mpssvc             | Windows Defender Firewall                 | Automatic             | mpsdrv bfe               | NT AUTHORITY\LocalService   | LocalServiceNoNetworkFirewall -p
BFE                | Base Filtering Engine                     | Automatic             | RpcSs                    | NT AUTHORITY\LocalService   | LocalServiceNoNetworkFirewall -p
Spooler            | Print Spooler                             | Automatic             | RpcSs http               | LocalSystem                 | spoolsv
VSS                | Volume Shadow Copy                        | Manual                | RpcSs                    | LocalSystem                 | vssvc
swprv              | Microsoft Software Shadow Copy Provider   | Manual                | RpcSs                    | LocalSystem                 | swprv
SessionEnv         | Remote Desktop Configuration              | Manual                | RpcSs LanmanWorkstation  | localSystem                 | netsvcs -p
RemoteRegistry     | Remote Registry                           | AutomaticDelayedStart | RpcSs                    | NT AUTHORITY\LocalService   | localService -p
BITS               | Background Intelligent Transfer Service   | Manual                | RpcSs                    | LocalSystem                 | netsvcs -p
wuauserv           | Windows Update                            | Manual                | rpcss                    | LocalSystem                 | netsvcs -p
MSDTC              | Distributed Transaction Coordinator       | AutomaticDelayedStart | RpcSs SamSs              | NT AUTHORITY\NetworkService | msdtc
CryptSvc           | Cryptographic Services                    | Automatic             | RpcSs                    | NT AUTHORITY\NetworkService | NetworkService -p
lmhosts            | TCP/IP NetBIOS Helper                     | Manual                |                          | NT AUTHORITY\LocalService   | LocalServiceNetworkRestricted -p
TermService        | Remote Desktop Services                   | Manual                | RpcSs                    | NT Authority\NetworkService | NetworkService
"""
# name, display name, required drivers
DRIVERS = r"""
Srv2     | Server SMB 2.xxx Driver                        | srvnet
srvnet   | srvnet                                         |
MRxSmb20 | SMB 2.0 MiniRedirector                         |
HTTP     | HTTP Service                                   |
mpsdrv   | Windows Defender Firewall Authorization Driver |
"""
# a feature, then the same columns; the name of Storage Replica's service is not confirmed
BY_FEATURE = r"""
FS-DFS-Namespace    | Dfs            | DFS Namespace                | Automatic | LanmanServer LanmanWorkstation RemoteRegistry SamSs | LocalSystem | dfssvc
FS-DFS-Replication  | DFSR           | DFS Replication              | Automatic | RpcSs EventLog                                      | LocalSystem | DFSRs
FS-Resource-Manager | SrmSvc         | File Server Resource Manager | Automatic | RpcSs                                               | LocalSystem | srmsvcs
FS-SMB1             | Browser        | Computer Browser             | Manual    | LanmanServer LanmanWorkstation                      | LocalSystem | netsvcs
Failover-Clustering | ClusSvc        | Cluster Service              | Automatic | RpcSs SamSs LanmanServer                            | LocalSystem | clussvc
Storage-Replica     | StorageReplica | Storage Replica              | Automatic | RpcSs                                               | LocalSystem | wvrsvc
"""


def rows(table: str) -> list[list[str]]:
    """The lines of a table, each as its cells."""
    return [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines()]


def rows_of_feature(feature: str) -> list[list[str]]:
    """The services that come with a feature."""
    return [row for own, *row in rows(BY_FEATURE) if own == feature]


def record(row: Sequence[str], kind: str = "Win32ShareProcess") -> dict[str, Any]:
    """One service as the machine keeps it."""
    name, display, start, required, account, group = row
    path = rf"C:\Windows\system32\{group}.exe" if " " not in group and group.islower() else SVCHOST + group
    return {
        "name": name,
        "display": display,
        "start": start,
        "requires": required.split(),
        "account": account,
        "path": path,
        "description": "",
        "kind": kind,
        "can_pause": name in {"LanmanServer", "LanmanWorkstation", "Winmgmt"},
    }


def default_services(features: Iterable[str]) -> list[dict[str, Any]]:
    """All services of a machine with these features."""
    drivers = [
        record((name, display, "Manual", required, "", "drivers"), "KernelDriver")
        for name, display, required in rows(DRIVERS)
    ]
    extra = [row for feature in features for row in rows_of_feature(feature)]
    return drivers + [record(row) for row in (*rows(SERVICES), *extra)]
