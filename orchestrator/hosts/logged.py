"""A host that writes each deed down, with how long it took and how it ended. Questions are not worth a line, nor is a lease that was renewed as always.

Texts of scripts and settings of actions are not logged: a line names the deed, never its content.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from orchestrator.hosts.skin import HostSkin
from orchestrator.model.host import Host
from orchestrator.model.outcomes import TryAgain

log = logging.getLogger("dtam.hosts")
EVER_AGAIN = ": renew_lease"


class LoggedHost(HostSkin):
    """Logs deeds to the logger ``dtam.hosts``."""

    def __init__(self, inner: Host, clock_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__(inner)
        self._clock_s = clock_s

    def _do(self, sentence: str, deed: Callable[[], None]) -> None:
        began_s = self._clock_s()
        try:
            deed()
        except TryAgain as reason:
            log.info("%s: %s: not yet: %s", self.name, sentence, reason)
            raise
        except Exception as error:
            log.warning("%s: %s: failed: %s", self.name, sentence, error)
            raise
        level = logging.DEBUG if sentence.endswith(EVER_AGAIN) else logging.INFO
        log.log(level, "%s: %s: done in %.3f s", self.name, sentence, self._clock_s() - began_s)
