"""A share and the Server service's settings as they are when nobody said otherwise (Windows Server 2016 to 2022)."""

from __future__ import annotations

from typing import Any

CONFIGURATION: dict[str, Any] = {
    "AnnounceComment": "", "AnnounceServer": False, "AsynchronousCredits": 512, "AuditSmb1Access": False, "AutoDisconnectTimeout": 15,
    "AutoShareServer": True, "AutoShareWorkstation": True, "CachedOpenLimit": 10, "DurableHandleV2TimeoutInSeconds": 180,
    "EnableAuthenticateUserSharing": False, "EnableDownlevelTimewarp": False, "EnableForcedLogoff": True, "EnableLeasing": True,
    "EnableMultiChannel": True, "EnableOplocks": True, "EnableSecuritySignature": False, "EnableSMB1Protocol": False,
    "EnableSMB2Protocol": True, "EnableStrictNameChecking": True, "EncryptData": False, "IrpStackSize": 15, "KeepAliveTime": 2,
    "MaxChannelPerSession": 32, "MaxMpxCount": 50, "MaxSessionPerConnection": 16384, "MaxThreadsPerQueue": 20, "MaxWorkItems": 1,
    "NullSessionPipes": "", "NullSessionShares": "", "OplockBreakWait": 35, "PendingClientTimeoutInSeconds": 120,
    "RejectUnencryptedAccess": True, "RequireSecuritySignature": False, "ServerHidden": True, "Smb2CreditsMax": 8192,
    "Smb2CreditsMin": 512, "SmbServerNameHardeningLevel": 0, "TreatHostAsStableStorage": False, "ValidateAliasNotCircular": True,
    "ValidateShareScope": True, "ValidateShareScopeNotAliased": True, "ValidateTargetName": True,
}  # fmt: skip


def share_record(name: str, path: str, sddl: str) -> dict[str, Any]:
    """A share with the defaults."""
    return {
        "name": name,
        "path": path,
        "sddl": sddl,
        "scope": "*",
        "description": "",
        "caching": "Manual",
        "enumeration": "Unrestricted",
        "limit": 0,
        "encrypt": False,
        "continuously_available": False,
        "ca_timeout": 0,
        "leasing": "Full",
        "compress": False,
        "temporary": False,
        "special": False,
    }
