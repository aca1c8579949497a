"""What must be so before a file server is protected, and what a person should know. Lists of checks, made one.

Each check looks at facts only and yields nothing when all is well. Ids are for ever: reports, silences and journals name them.
"""

from __future__ import annotations

from orchestrator.model.servers import Platform
from orchestrator.sdk.checks import Check, of_platform
from orchestrator.sdk.pair_checks.data import DATA
from orchestrator.sdk.pair_checks.domain import COMPUTERS_NAMES, DOMAIN
from orchestrator.sdk.pair_checks.names import NAMES
from orchestrator.sdk.pair_checks.servers import SERVERS
from orchestrator.sdk.pair_checks.ways import WAYS
from plugins.fileserver.checks_health import HEALTH
from plugins.fileserver.checks_shares import SHARES
from plugins.fileserver.windows.checks import WINDOWS

CHECKS: tuple[Check, ...] = (
    *SERVERS,
    *DATA,
    *NAMES,
    *HEALTH,
    *of_platform(Platform.LINUX, *SHARES),
    *DOMAIN,
    *COMPUTERS_NAMES,
    *WAYS,
    *WINDOWS,
)
