"""What must be so before a SQL Server is protected, and what a person should know. Lists of checks, made one.

Those of SQL Server come first, because what they mend needs running instances, and others mend by stopping those of the target. Each
looks at facts only and yields nothing when all is well. Ids are for ever: reports, silences and journals name them.
"""

from __future__ import annotations

from orchestrator.model.servers import Platform
from orchestrator.sdk.checks import Check, of_platform
from orchestrator.sdk.pair_checks.data import DATA
from orchestrator.sdk.pair_checks.domain import DOMAIN
from orchestrator.sdk.pair_checks.names import NAMES
from orchestrator.sdk.pair_checks.servers import SERVERS
from orchestrator.sdk.pair_checks.volumes import VOLUMES
from orchestrator.sdk.pair_checks.ways import WAYS
from orchestrator.sdk.pair_checks.windows import WINDOWS
from plugins.sql.checks_databases import DATABASES
from plugins.sql.checks_files import FILES
from plugins.sql.checks_instances import INSTANCES
from plugins.sql.checks_linux import LINUX
from plugins.sql.checks_logins import LOGINS
from plugins.sql.checks_matrix import MATRIX
from plugins.sql.checks_network import NETWORK
from plugins.sql.checks_objects import OBJECTS
from plugins.sql.checks_secrets import SECRETS

CHECKS: tuple[Check, ...] = (
    *INSTANCES,
    *MATRIX,
    *DATABASES,
    *FILES,
    *of_platform(Platform.LINUX, *LINUX),
    *LOGINS,
    *OBJECTS,
    *SECRETS,
    *NETWORK,
    *SERVERS,
    *DATA,
    *NAMES,
    *DOMAIN,
    *WAYS,
    *of_platform(Platform.WINDOWS, *WINDOWS, *VOLUMES),
)
