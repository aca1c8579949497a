"""One shell of WinRM kept open, and programs run in it with standard input: WS-Management as pywinrm speaks it.

A program of ours reads all of its input before it does anything. So what breaks before the end of the input was sent has done nothing,
and may be asked for again (``NotReached``); what breaks later may have been done (``LinkLost``).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from spnego.exceptions import SpnegoError
from winrm.exceptions import WinRMError, WinRMOperationTimeoutError, WinRMTransportError, WSManFaultError
from winrm.protocol import Protocol

from orchestrator.hosts.winrm_failures import SHELL_GONE
from orchestrator.hosts.winrm_login import LoginFailed
from orchestrator.hosts.winrm_wire import LinkLost, NotReached, Wire

UTF8 = 65001
PIECE_BYTES = 96 * 1024
"""Of standard input in one message: with Base64 and sealing well below the 153600 bytes that pywinrm announces, and Windows' 500 kB."""
OPERATION_TIMEOUT_S = 20
UNHEARD = (LinkLost, NotReached, LoginFailed, SpnegoError)
IDLE_TIMEOUT = "PT5M"
"""After which a shell that nobody ended (a killed process, a lost link) ends by itself: one account may have thirty."""
CLOSE_TIMEOUT_S = 3.0
OUTPUT_BYTES_MAX = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended: its exit code and what it wrote."""

    code: int
    out: bytes
    err: bytes


class TooLate(LinkLost):
    """The time for it is over; whether it still goes on is not known."""


class Shell:
    """A shell on one host. ``clock_s`` is a monotonic clock; the host gives a sign within ``operation_s``. Used by one thread at a time."""

    def __init__(
        self,
        wire: Wire,
        url: str,
        clock_s: Callable[[], float] = time.monotonic,
        operation_s: int = OPERATION_TIMEOUT_S,
    ) -> None:
        self._wire = wire
        self._protocol = Protocol(
            url, "ssl", "-", "-", read_timeout_sec=operation_s + 10, operation_timeout_sec=operation_s
        )
        self._protocol.transport = cast("Any", wire)  # its two methods are all that a Protocol uses
        self._clock_s = clock_s
        self._operation_s = operation_s
        self._shell: str | None = None

    def close(self) -> None:
        """End the shell, where the host still answers, and the connection."""
        shell, self._shell = self._shell, None
        self._wire.hurry(CLOSE_TIMEOUT_S)
        try:
            if shell is not None:
                self._protocol.close_shell(shell, close_session=False)
        except (*UNHEARD, WinRMError, WinRMTransportError, OSError, AssertionError, StopIteration):
            pass  # an idle shell ends by itself
        finally:
            self._wire.close_session()

    def run(self, program: str, arguments: Sequence[str], given: bytes, budget_s: float) -> Ended:
        """Run a program to its end.

        Raises:
            NotReached: it was not begun. LinkLost, TooLate: it may have been.
            WinRMError, WinRMTransportError, SpnegoError, ssl.SSLError: refused before it began.
        """
        command = self._begun(program, arguments)
        try:
            self._send(command, given)
            return self._heard(command, self._clock_s() + budget_s)
        except (LinkLost, NotReached):
            self._shell = None
            raise
        finally:
            self._protocol.operation_timeout_sec = self._operation_s
            self._signal_end(command)

    def _begun(self, program: str, arguments: Sequence[str]) -> str:
        """The program stands there and waits for its input. A shell that is gone is opened anew, once."""
        for last in (False, True):
            had = self._shell is not None
            try:
                self._shell = self._shell or self._opened()
                return self._protocol.run_command(self._shell, program, arguments, console_mode_stdin=False)
            except LinkLost as error:
                self._shell = None
                if last or not had:
                    raise NotReached(str(error)) from error
            except WSManFaultError as error:
                self._shell = None
                if last or not had or not _is_gone(error):
                    raise
        raise NotReached("no shell was opened")

    def _opened(self) -> str:
        return self._protocol.open_shell(noprofile=True, codepage=UTF8, idle_timeout=IDLE_TIMEOUT)

    def _send(self, command: str, given: bytes) -> None:
        pieces = [given[at : at + PIECE_BYTES] for at in range(0, len(given), PIECE_BYTES)] or [b""]
        for piece in pieces[:-1]:
            try:
                self._protocol.send_command_input(self._shell or "", command, piece)
            except LinkLost as error:
                raise NotReached(str(error)) from error
        self._protocol.send_command_input(self._shell or "", command, pieces[-1], end=True)

    def _heard(self, command: str, until_s: float) -> Ended:
        out, err, size = [], [], 0
        while True:
            left_s = math.ceil(until_s - self._clock_s())
            self._protocol.operation_timeout_sec = max(1, min(self._operation_s, left_s))
            try:
                more, complaint, code, is_done = self._protocol.get_command_output_raw(self._shell or "", command)
            except WinRMOperationTimeoutError:
                more, complaint, code, is_done = b"", b"", 0, False
            except (WinRMError, WinRMTransportError) as error:
                raise LinkLost(str(error)) from error
            out.append(more)
            err.append(complaint)
            size += len(more) + len(complaint)
            if is_done:
                return Ended(code, b"".join(out), b"".join(err))
            if size > OUTPUT_BYTES_MAX:
                raise TooLate(f"it wrote more than {OUTPUT_BYTES_MAX} bytes")
            if self._clock_s() > until_s:
                raise TooLate("it did not end in time")

    def _signal_end(self, command: str) -> None:
        """The host may forget the command; where the link is gone it does so by itself."""
        if self._shell is None:
            return
        try:
            self._protocol.cleanup_command(self._shell, command)
        except (LinkLost, NotReached, WinRMError, WinRMTransportError, AssertionError, StopIteration):
            self._shell = None


def _is_gone(error: WSManFaultError) -> bool:
    return error.wsman_fault_code in SHELL_GONE or (error.fault_subcode or "").endswith("InvalidSelectors")
