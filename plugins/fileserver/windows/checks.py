"""What must be so before a Windows file server is protected, in one list; all are quiet for other servers."""

from __future__ import annotations

from orchestrator.model.servers import Platform
from orchestrator.sdk.checks import Check, of_platform
from orchestrator.sdk.pair_checks.volumes import VOLUMES
from orchestrator.sdk.pair_checks.windows import FLAT_DOMAIN
from orchestrator.sdk.pair_checks.windows import WINDOWS as ANY_WINDOWS
from plugins.fileserver.windows.checks_roles import ROLES
from plugins.fileserver.windows.checks_servers import SERVERS
from plugins.fileserver.windows.checks_shares import SHARES

WINDOWS: tuple[Check, ...] = of_platform(
    Platform.WINDOWS, *FLAT_DOMAIN, *ANY_WINDOWS, *SERVERS, *VOLUMES, *ROLES, *SHARES
)
