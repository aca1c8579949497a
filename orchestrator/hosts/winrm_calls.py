"""Calling the scripts of a Windows host by name: one JSON request in, JSON lines out.

A question may be asked again when its answer was lost. A deed never is: it has an id, and after a lost answer the host is asked what
became of the deed of that id; only one that never began is sent once more, under the same id. Any number of threads may call; each call has a shell
for itself, so that a lease is renewed while a service starts.
"""

from __future__ import annotations

import base64
import json
import secrets
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from spnego.exceptions import SpnegoError
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_exponential
from winrm.exceptions import WinRMError, WinRMTransportError

from orchestrator.errors import DtamError
from orchestrator.hosts import winrm_scripts as laid
from orchestrator.hosts.errors import (
    AnswerLost,
    HostIsAnother,
    HostScriptChanged,
    HostScriptFailed,
    HostScriptMissing,
    ScriptsForbidden,
    WinRmUnreachable,
)
from orchestrator.hosts.winrm_failures import explained, of_words
from orchestrator.hosts.winrm_login import LoginFailed
from orchestrator.hosts.winrm_shell import Ended, Shell, TooLate
from orchestrator.hosts.winrm_wire import LinkLost, NotReached

Line = Mapping[str, Any]
QUESTION_S = 60.0
DEED_S = 180.0
LOST_BUDGET_S = 5.0
"""For a link to come back; longer waiting is the executor's."""
LOOK_S = 30.0
"""For one question of a look."""
IDLE_MAX = 3


class _StillRuns(Exception):
    pass


class Caller:
    """The scripts of one host. ``shell`` makes one, a few are kept open; ``computer`` must be its own name. Times are seconds.

    ``hasty`` is for one look: nothing is asked again, and a host that was silent once is silent; one whose script is slow is not. A deed is waited for within
    its time all the same.
    """

    def __init__(
        self,
        server: str,
        where: str,
        account: str,
        shell: Callable[[], Shell],
        *,
        sleep: Callable[[float], None] = time.sleep,
        computer: str = "",
        hasty: bool = False,
    ) -> None:
        self._hasty = hasty
        self._silence: WinRmUnreachable | None = None
        self._server = server
        self._where = where
        self._account = account
        self._computer = computer
        self._made = shell
        self._sleep = sleep
        self._idle: list[Shell] = []
        self._lock = threading.Lock()
        self._again = Retrying(
            retry=retry_if_exception_type((NotReached, LinkLost)),
            stop=stop_after_delay(LOST_BUDGET_S),
            wait=wait_exponential(multiplier=0.2, max=2.0),
            sleep=sleep,
            reraise=True,
        )

    def close(self) -> None:
        """End the shells that are idle, and their connections."""
        with self._lock:
            idle, self._idle = self._idle, []
        for shell in idle:
            shell.close()

    def ask(self, script: str, arguments: Mapping[str, Any], budget_s: float = QUESTION_S) -> tuple[Line, ...]:
        """Ask a script that changes nothing; once more where the answer was lost.

        Raises:
            DtamError: see ``winrm_failures`` and ``hosts.errors``.
        """
        request = self._request(script, arguments, deed=False)
        within_s = min(budget_s, LOOK_S) if self._hasty else budget_s

        def asked() -> tuple[Line, ...]:
            return self._lines(self._ended(laid.LOADER, request, within_s))

        return self._heard(asked, asked, (NotReached, LinkLost) if self._hasty else TooLate)

    def do(self, script: str, arguments: Mapping[str, Any], budget_s: float = DEED_S) -> tuple[Line, ...]:
        """Have a deed done, once.

        Raises:
            AnswerLost: it was begun, and nothing more is known now.
            DtamError: see ``ask``.
        """
        request = self._request(script, arguments, deed=True)
        return self._heard(
            lambda: self._lines(self._ended(laid.LOADER, request, budget_s)),
            lambda: self._became(request, budget_s),
            (NotReached, TooLate) if self._hasty else (),
        )

    def install(self, deed: str, names: Sequence[str]) -> tuple[Line, ...]:
        """Look at the scripts on the host, lay these, or remove all; gives the computer's name and what lies there (before a removal).

        Raises:
            DtamError: see ``ask``.
        """
        files = [
            {
                "name": name,
                "sha256": laid.sha256_of(name),
                "base64": base64.b64encode(laid.installed_bytes(name)).decode("ascii"),
            }
            for name in names
        ]
        request = {"deed": deed, "files": files, "computer": self._computer}
        return self._tried(lambda: self._lines(self._ended(laid.INSTALLER, request, DEED_S)))

    # -- one exchange

    def _heard(
        self,
        first: Callable[[], tuple[Line, ...]],
        again: Callable[[], tuple[Line, ...]],
        final: type[Exception] | tuple[type[Exception], ...],
    ) -> tuple[Line, ...]:
        """The answer to ``first``, or to ``again`` where it was lost; what is ``final`` is told at once."""
        if self._silence is not None:
            raise self._silence
        try:
            try:
                return first()
            except final as error:
                raise self._told(error) from error
            except (LinkLost, NotReached):
                return self._tried(again)
        except WinRmUnreachable as silence:
            if self._hasty and not isinstance(silence.__cause__, TooLate):
                self._silence = silence
            raise

    def _told(self, error: Exception) -> DtamError:
        if isinstance(error, NotReached):
            return explained(error, self._server, self._where, self._account)
        return AnswerLost(server=self._server, why=error)

    def _request(self, script: str, arguments: Mapping[str, Any], *, deed: bool) -> dict[str, Any]:
        name = f"{script}.ps1"
        return {
            "id": secrets.token_hex(16),
            "deed": deed,
            "script": name,
            "computer": self._computer,
            "files": _checked((*laid.ALWAYS, name)),
            "arguments": dict(arguments),
        }

    def _became(self, request: Mapping[str, Any], budget_s: float) -> tuple[Line, ...]:
        """Ask until the deed is no longer at work."""
        patient = Retrying(
            retry=retry_if_exception_type(_StillRuns),
            stop=stop_after_delay(budget_s),
            wait=wait_exponential(multiplier=0.2, max=3.0),
            sleep=self._sleep,
            reraise=True,
        )
        return patient(self._once_more, request, budget_s)

    def _once_more(self, request: Mapping[str, Any], budget_s: float) -> tuple[Line, ...]:
        """What became of a deed; it is sent again only when the host never began it."""
        question = {"ask": request["id"], "computer": self._computer, "files": _checked(laid.ALWAYS)}
        state, *answer = self._raw(self._ended(laid.LOADER, question, QUESTION_S))
        match state.get("state"):
            case "ended":
                return self._judged(answer)
            case "running":
                raise _StillRuns("it is still at work")
            case "interrupted":
                raise AnswerLost(server=self._server, why=f"{request['script']} was interrupted")
            case _:
                return self._lines(self._ended(laid.LOADER, request, budget_s))

    def _tried(self, deed: Callable[[], tuple[Line, ...]]) -> tuple[Line, ...]:
        try:
            return self._again.copy()(deed)
        except (NotReached, LinkLost, _StillRuns) as error:
            raise self._told(error) from error

    def _ended(self, text: str, request: Mapping[str, Any], budget_s: float, line_chars: int = 0) -> Ended:
        given = json.dumps(request, separators=(",", ":")).encode("ascii")
        with self._shell() as shell:
            try:
                return shell.run(laid.PROGRAM, laid.arguments_of(text, line_chars), given, budget_s)
            except (WinRMError, WinRMTransportError, LoginFailed, SpnegoError, ssl.SSLError, ValueError) as error:
                raise explained(error, self._server, self._where, self._account) from error

    @contextmanager
    def _shell(self) -> Iterator[Shell]:
        """A shell for one call: one that is idle, or a new one. A few are kept open."""
        with self._lock:
            shell = self._idle.pop() if self._idle else None
        shell = shell or self._made()
        try:
            yield shell
        finally:
            with self._lock:
                is_kept = len(self._idle) < IDLE_MAX
                if is_kept:
                    self._idle.append(shell)
            if not is_kept:
                shell.close()

    def _lines(self, ended: Ended) -> tuple[Line, ...]:
        return self._judged(self._raw(ended))

    def _raw(self, ended: Ended) -> list[dict[str, Any]]:
        lines: list[dict[str, Any]] = []
        for line in ended.out.removeprefix(b"\xef\xbb\xbf").split(b"\n"):
            if not line.startswith(b"{"):
                continue  # a word of PowerShell's own
            try:
                lines.append(_mended(json.loads(line)))
            except ValueError as error:
                raise LinkLost("a line of the answer is not whole") from error
        if not lines:
            raise of_words(self._server, ended.err.decode("utf-8", errors="replace"), ended.code)
        return lines

    def _judged(self, lines: Sequence[dict[str, Any]]) -> tuple[Line, ...]:
        last = lines[-1] if lines else {}
        if last.get("dtam") == "error":
            self._refuse(last)
        if last.get("dtam") != "end":
            raise LinkLost("the answer was cut")
        return tuple(lines[:-1])

    def _refuse(self, line: Mapping[str, Any]) -> NoReturn:
        script, message = str(line.get("script", "")), str(line.get("message", ""))
        if message.startswith("dtam-another "):
            found = message.partition(" ")[2]
            raise HostIsAnother(server=self._server, where=self._where, found=found, expected=self._computer)
        raise _refusal(self._server, script, message, line)


def _refusal(server: str, script: str, message: str, line: Mapping[str, Any]) -> DtamError:
    if message == "dtam-missing":
        return HostScriptMissing(server=server, script=script)
    if message.startswith("dtam-changed "):
        found = message.partition(" ")[2].lower()
        wanted = laid.sha256_of(script) if script in laid.scripts() else ""
        return HostScriptChanged(server=server, script=script, why=f"its SHA-256 is {found[:16]}…, not {wanted[:16]}…")
    if _is_forbidden(str(line.get("id", "")), str(line.get("category", ""))):
        return ScriptsForbidden(server=server, why=message)
    return HostScriptFailed(server, message, script, int(line.get("line") or 0), str(line.get("category", "")))


def _is_forbidden(error_id: str, category: str) -> bool:
    """Whether the execution policy or the language mode refused; access denied to a file has another id."""
    by_policy = error_id.partition(",")[0] == "UnauthorizedAccess" and category == "SecurityError"
    return by_policy or "ConstrainedLanguage" in error_id


def _checked(names: Sequence[str]) -> list[dict[str, str]]:
    return [{"name": name, "sha256": laid.sha256_of(name)} for name in dict.fromkeys(names)]


def _mended(value: Any) -> Any:
    """Windows PowerShell 5.1 writes some lists as {"value": [...], "Count": n}: they are lists."""
    if isinstance(value, dict):
        if value.keys() == {"value", "Count"} and isinstance(value["value"], list):
            return [_mended(one) for one in value["value"]]
        return {name: _mended(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_mended(one) for one in value]
    return value
