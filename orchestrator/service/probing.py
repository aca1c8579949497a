"""One round of questions to a host without engine: the echo, and whether WinRM's port takes a connection.

A connection that is refused is an answer of the host, but not of WinRM: it counts as none. So ``both`` tells a host that is up from one whose WinRM is.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable

from orchestrator.engine.monitor.probes import ask_icmp
from orchestrator.engine.monitor.verdict import Answer, MonitorSettings, Pace
from orchestrator.model.servers import Server
from orchestrator.model.settings_monitoring import MonitoringTab


def settings_of(tab: MonitoringTab, source: Server) -> MonitorSettings:
    """How the source is watched; without addresses in the settings, by the one that it is reached at."""
    return MonitorSettings(
        addresses=tuple(str(address) for address in tab.addresses) or (source.address,),
        method=tab.method,
        require=tab.require,
        interval_s=tab.interval_s,
        missed=tab.allowed()[1],
        manual_intervention=tab.manual_intervention,
        own={str(one.address): Pace(*tab.allowed(one)) for one in tab.paces},
    )


async def ask_round(settings: MonitorSettings, port: int) -> tuple[Answer, ...]:
    """Every address by every method at once; takes at most one interval."""
    asked: list[Awaitable[Answer]] = [
        ask_port(address, port, settings.interval_s) if method == "udp" else ask_icmp(address, settings.interval_s)
        for address in settings.addresses
        for method in settings.methods
    ]
    return tuple(await asyncio.gather(*asked))


async def ask_port(address: str, port: int, timeout_s: float) -> Answer:
    """Whether a TCP connection to this port is taken; nothing is said over it."""
    began_s = time.monotonic()
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(address, port)
    except TimeoutError:
        return Answer(address, "udp", answered=False, says="no answer")
    except OSError as error:
        return Answer(address, "udp", answered=False, says=error.strerror or str(error))
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return Answer(address, "udp", answered=True, round_trip_s=time.monotonic() - began_s)
