"""The settings of winrm/config that the simulation keeps to, with the defaults of Windows Server 2016 and later.

Sources: "Installation and configuration for Windows Remote Management", "Quotas for Remote Shells", [MS-WSMV] 2.2.4.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Configuration:
    """One host's settings; a test replaces what it wants to see at its limit."""

    max_envelope_size_kb: int = 500
    max_timeout_ms: int = 60_000
    max_shells_per_user: int = 30
    max_concurrent_users: int = 10
    max_concurrent_operations_per_user: int = 1500
    max_processes_per_shell: int = 25
    max_memory_per_shell_mb: int = 1024
    idle_timeout_ms: int = 7_200_000
    allow_remote_shell_access: bool = True
    allow_unencrypted: bool = False
    auth_basic: bool = False
    auth_certificate: bool = False
    auth_negotiate: bool = True
    auth_kerberos: bool = True
    local_account_token_filter_policy: bool = False  # HKLM\...\Policies\System, when the machine does not say it

    @classmethod
    def of(cls, document: dict[str, Any]) -> Configuration:
        """The defaults with what the document says. Raises TypeError for a setting that does not exist."""
        return replace(cls(), **document)
