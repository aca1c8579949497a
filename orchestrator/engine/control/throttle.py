"""How fast one source may be wrong: the first failures are free, each further one doubles the pause before the next attempt.

A source is an IPv4 address or an IPv6 /64 network. Failures are forgotten ``FORGET_S`` after the last one; a success forgets none, so that
an own account does not help to guess another's password.
"""

from __future__ import annotations

import collections
import ipaddress
from dataclasses import dataclass

FREE = 5
PAUSE_S = 30.0
PAUSE_MAX_S = 300.0
FORGET_S = 900.0
SOURCES_MAX = 4096


def source_of(address: str) -> str:
    """What failures are counted for.

    >>> source_of("192.0.2.7"), source_of("2001:db8:1:2:3::9"), source_of("::ffff:192.0.2.7")
    ('192.0.2.7', '2001:db8:1:2::/64', '192.0.2.7')
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


@dataclass(slots=True)
class Failures:
    """What is known of a source."""

    count: int = 0
    last_s: float = 0.0


class Throttle:
    """Failed log-ins by source. Used from one thread; ``now_s`` is a monotonic clock's reading."""

    def __init__(self) -> None:
        self._sources: collections.OrderedDict[str, Failures] = collections.OrderedDict()

    def pause_s(self, source: str, now_s: float) -> float:
        """How long the source must wait before its next attempt; 0 when it may try now."""
        known = self._sources.get(source)
        if known is None or now_s - known.last_s >= FORGET_S or known.count < FREE:
            return 0.0
        pause_s = min(PAUSE_S * 2.0 ** min(known.count - FREE, 16), PAUSE_MAX_S)
        return max(0.0, known.last_s + pause_s - now_s)

    def failed(self, source: str, now_s: float) -> None:
        """An attempt was wrong."""
        known = self._sources.pop(source, None)
        if known is None or now_s - known.last_s >= FORGET_S:
            known = Failures()
        known.count += 1
        known.last_s = now_s
        self._sources[source] = known
        if len(self._sources) > SOURCES_MAX:
            self._sources.popitem(last=False)
