"""Roles and features of Windows Server, and the modules that come with the system or with a feature."""

from __future__ import annotations

# name, display name, depth below the role
FEATURES: tuple[tuple[str, str, int], ...] = (
    ("FileAndStorage-Services", "File and Storage Services", 1),
    ("File-Services", "File and iSCSI Services", 2),
    ("FS-FileServer", "File Server", 3),
    ("FS-DFS-Namespace", "DFS Namespaces", 3),
    ("FS-DFS-Replication", "DFS Replication", 3),
    ("FS-Resource-Manager", "File Server Resource Manager", 3),
    ("FS-VSS-Agent", "File Server VSS Agent Service", 3),
    ("Storage-Services", "Storage Services", 2),
    ("AD-Domain-Services", "Active Directory Domain Services", 1),
    ("DNS", "DNS Server", 1),
    ("Failover-Clustering", "Failover Clustering", 1),
    ("Storage-Replica", "Storage Replica", 1),
    ("FS-SMB1", "SMB 1.0/CIFS File Sharing Support", 1),
    ("RSAT", "Remote Server Administration Tools", 1),
    ("RSAT-Clustering-PowerShell", "Failover Cluster Module for Windows PowerShell", 4),
    ("RSAT-AD-PowerShell", "Active Directory module for Windows PowerShell", 4),
    ("RSAT-DNS-Server", "DNS Server Tools", 3),
    ("RSAT-Storage-Replica", "Storage Replica Module for Windows PowerShell", 3),
    ("PowerShell", "Windows PowerShell 5.1", 2),
    ("Windows-Server-Backup", "Windows Server Backup", 1),
)
ALWAYS = ("PowerShell",)
NOT_IN = {"FS-SMB1": (), "Storage-Replica": ("2012R2",)}
NEEDS_RESTART = ("Storage-Replica", "FS-SMB1", "Failover-Clustering")
PARENTS = {
    "FS-FileServer": ("FileAndStorage-Services", "File-Services"),
    "FS-DFS-Namespace": ("FileAndStorage-Services", "File-Services"),
    "FS-DFS-Replication": ("FileAndStorage-Services", "File-Services"),
    "FS-Resource-Manager": ("FileAndStorage-Services", "File-Services"),
}
MODULES = {
    "CimCmdlets": "1.0.0.0", "DnsClient": "1.0.0.0", "Microsoft.PowerShell.Management": "3.1.0.0", "Microsoft.PowerShell.Utility": "3.1.0.0",
    "Microsoft.PowerShell.Security": "3.0.0.0", "Microsoft.PowerShell.Diagnostics": "3.0.0.0", "Microsoft.PowerShell.Host": "3.0.0.0",
    "Microsoft.WSMan.Management": "3.0.0.0", "NetAdapter": "2.0.0.0", "NetSecurity": "2.0.0.0", "NetTCPIP": "1.0.0.0",
    "NetConnection": "1.0.0.0", "Microsoft.PowerShell.LocalAccounts": "1.0.0.0", "BitsTransfer": "2.0.0.0", "Dism": "3.0", "iSCSI": "1.0.0.0",
    "Microsoft.PowerShell.Archive": "1.0.1.0", "NetLbfo": "2.0.0.0", "PKI": "1.0.0.0", "SmbWitness": "2.0.0.0", "TLS": "2.0.0.0",
    "ScheduledTasks": "1.0.0.0", "ServerManager": "2.0.0.0", "SmbShare": "2.0.0.0", "Storage": "2.0.0.0",
}  # fmt: skip
MODULES_OF_FEATURE = {
    "RSAT-Clustering-PowerShell": ("FailoverClusters", "2.0.0.0"),
    "RSAT-AD-PowerShell": ("ActiveDirectory", "1.0.1.0"),
    "RSAT-DNS-Server": ("DnsServer", "2.0.0.0"),
    "FS-Resource-Manager": ("FileServerResourceManager", "2.0.0.0"),
    "FS-DFS-Namespace": ("DFSN", "1.0"),
    "Storage-Replica": ("StorageReplica", "1.0"),
    "RSAT-Storage-Replica": ("StorageReplica", "1.0"),
}
RELEASES = {  # version, build, caption
    "2016": ("10.0.14393", "14393", "Microsoft Windows Server 2016"),
    "2019": ("10.0.17763", "17763", "Microsoft Windows Server 2019"),
    "2022": ("10.0.20348", "20348", "Microsoft Windows Server 2022"),
    "2025": ("10.0.26100", "26100", "Microsoft Windows Server 2025"),
}
