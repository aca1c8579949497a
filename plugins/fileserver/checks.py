"""What must be so before a file server is protected, and what a person should know. Five files of checks, one list.

Each check looks at facts only and yields nothing when all is well. Ids are for ever: reports, silences and journals name them.
"""

from __future__ import annotations

from orchestrator.sdk.checks import Check
from plugins.fileserver.checks_data import DATA
from plugins.fileserver.checks_domain import DOMAIN
from plugins.fileserver.checks_names import NAMES
from plugins.fileserver.checks_servers import SERVERS
from plugins.fileserver.checks_shares import SHARES

CHECKS: tuple[Check, ...] = (*SERVERS, *DATA, *NAMES, *SHARES, *DOMAIN)
