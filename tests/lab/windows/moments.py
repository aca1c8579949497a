"""Trouble at a moment of a script: when it calls a cmdlet or a program, before or after that has done its deed.

``die`` is the end of the process as a power cut ends it; ``cut`` resets every connection while the script goes on, and notes in ``host.dropped`` how many
there were; ``reboot`` restarts.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.lab.windows.powershell.commands import CMDLETS, PROGRAMS, Call, Done, ProgramCall

if TYPE_CHECKING:
    from tests.lab.windows.host import Host


def deed_of(host: Host, name: str) -> Callable[[], None]:
    """What is to happen. Raises KeyError for what is not known."""
    return {
        "die": lambda: os.kill(os.getpid(), signal.SIGKILL),
        "cut": lambda: host.dropped.append(sum(one.drop_all() for one in host.listeners)),
        "reboot": host.restart,
    }[name]


def at(host: Host, command: str, deed: str, *, after: bool = True, times: int = 1) -> None:
    """Let it happen at the ``times``-th call of a cmdlet or program from now, once. Raises KeyError for a command that is not there."""
    happen, left = deed_of(host, deed), [times]

    def due() -> bool:
        left[0] -= 1
        return left[0] == 0

    key = command.casefold()
    if key in CMDLETS:
        spec = CMDLETS[key]

        def cmdlet(call: Call) -> Iterator[Any]:
            now = due()
            if now and not after:
                happen()
            yield from spec.function(call) or ()
            if now and after:
                happen()

        CMDLETS[key] = replace(spec, function=cmdlet)
        return
    plain = PROGRAMS[key]

    def program(call: ProgramCall) -> Done:
        now = due()
        if now and not after:
            happen()
        done = plain(call)
        if now and after:
            happen()
        return done

    PROGRAMS[key] = program
