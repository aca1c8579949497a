"""What must be so before a Windows file server is protected: three files of checks, one list. All are quiet for other servers."""

from __future__ import annotations

from orchestrator.sdk.checks import Check
from plugins.fileserver.windows.checks_data import DATA
from plugins.fileserver.windows.checks_servers import SERVERS
from plugins.fileserver.windows.checks_shares import SHARES

WINDOWS: tuple[Check, ...] = (*SERVERS, *DATA, *SHARES)
