"""What must be so before a file server is protected, and what a person should know. Files of checks, one list.

Those in ``LINUX`` look at places that a replicated volume does not have, and are quiet for Windows; those of ``WINDOWS`` the other way round.

Each check looks at facts only and yields nothing when all is well. Ids are for ever: reports, silences and journals name them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from orchestrator.model.findings import Finding
from orchestrator.sdk.checks import Check, Finder, View
from plugins.fileserver.checks_data import DATA
from plugins.fileserver.checks_domain import DOMAIN
from plugins.fileserver.checks_names import NAMES
from plugins.fileserver.checks_servers import SERVERS
from plugins.fileserver.checks_shares import SHARES
from plugins.fileserver.checks_ways import WAYS
from plugins.fileserver.windows.checks import WINDOWS

LINUX = frozenset(
    {"target-directory-missing", "target-not-a-directory", "target-without-space", "target-data-not-ours"}
)


def _quiet_on_windows(check: Check) -> Check:
    return replace(check, find=_unless_windows(check.find)) if check.id in LINUX else check


def _unless_windows(find: Finder) -> Finder:
    def asked(view: View) -> Iterable[Finding]:
        return () if view.settings.failover.windows is not None else find(view)

    return asked


_COMMON = (*SERVERS, *DATA, *NAMES, *SHARES, *DOMAIN, *WAYS)
CHECKS: tuple[Check, ...] = (*(_quiet_on_windows(one) for one in _COMMON), *WINDOWS)
