"""Programs of ours that stand ready while a script runs: what they import is read once a script, not once a step.

A script starts one of these beside it, and tells it what to run instead of starting a program each time. Everything else is as if it had
started the program: the deed runs in a process of its own, in the script's session, on the caller's own standard input, output and error, and
gives its exit code. Modules are read in the order in which a failover needs them, a few at a time, while nothing is asked.

A question is words ended by NUL: how many follow, the caller's process id, the program's path, its arguments. The answer is a line: the exit
code, or ``itself`` where the caller had better start the program by itself. It ends with its script: when the questions end, or nobody
is left who could ask.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
from collections import deque
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import NoReturn

PROGRAMS = MappingProxyType(
    {"dtam": "orchestrator.cli.dtam", "dfo": "orchestrator.cli.dfo", "dtengine": "orchestrator.engine.cli.dtengine"}
)
MODULES = (
    "orchestrator.cli.commands.step",
    "orchestrator.identity.step",
    "orchestrator.engine.cli.dtengine",
    "orchestrator.directory.opening",
    "orchestrator.cli.dfo",
    "orchestrator.naming.adzones",
    "orchestrator.naming.gsstsig",
    "orchestrator.cli.dfo_ask",
    "orchestrator.databases.step",
)
"""What is read beforehand, in the order in which a failover asks for it; what is missing here is only read later."""
ITSELF = "itself"
NOBODY_LEFT_S = 5.0
_BUG = 70
_STANDARD = ((0, os.O_RDONLY), (1, os.O_WRONLY | os.O_APPEND), (2, os.O_WRONLY | os.O_APPEND))


class Questions:
    """What is asked on a pipe, cut into questions."""

    def __init__(self) -> None:
        self._words: deque[bytes] = deque()
        self._rest = b""

    def take(self, data: bytes) -> None:
        """More of it has come."""
        *whole, self._rest = (self._rest + data).split(b"\0")
        self._words.extend(whole)

    def next(self) -> list[str] | None:
        """The next whole question, without its count; None when there is none yet."""
        if not self._words or len(self._words) <= int(self._words[0]):
            return None
        count = int(self._words.popleft())
        return [os.fsdecode(self._words.popleft()) for _ in range(count)]


class Ready:
    """Answers one script.

    Args:
        asked: the file descriptor of the questions; its end is the script's.
        answer: says one line to the script.
        own: the directory that holds our programs; one of that name elsewhere is not ours.
        modules: what is read beforehand.
    """

    def __init__(self, asked: int, answer: Callable[[str], None], own: Path, modules: Iterable[str] = MODULES) -> None:
        self._asked = asked
        self._answer = answer
        self._own = own
        self._unread = deque(modules)
        self._questions = Questions()
        self._parent = os.getppid()

    def serve(self) -> None:
        """Answer until nobody asks any more."""
        while self._hears():
            while (words := self._questions.next()) is not None:
                self._answer(self._run(words))

    def _hears(self) -> bool:
        """Wait for more; reading modules meanwhile. False when there is nobody who could ask."""
        while not select.select([self._asked], [], [], 0 if self._unread else NOBODY_LEFT_S)[0]:
            if os.getppid() != self._parent:
                return False
            self._read_one()
        data = os.read(self._asked, 65536)
        self._questions.take(data)
        return bool(data)

    def _read_one(self) -> None:
        if self._unread:
            with contextlib.suppress(ImportError):  # an extra that is not installed here
                import_module(self._unread.popleft())

    def _run(self, words: list[str]) -> str:
        caller, path, *arguments = words
        program = Path(path)
        if program.name not in PROGRAMS or program.parent != self._own:
            return ITSELF
        try:
            ends = [os.open(f"/proc/{caller}/fd/{number}", how) for number, how in _STANDARD]
        except OSError:
            return ITSELF
        child = os.fork()
        if child == 0:
            _be(program, arguments, ends)
        for end in ends:
            os.close(end)
        return str(self._await(child))

    def _await(self, child: int) -> int:
        """The child's exit code; modules are read until it ends."""
        while self._unread:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return _code(status)
            self._read_one()
        return _code(os.waitpid(child, 0)[1])


def _code(status: int) -> int:
    """As a shell gives it."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _be(program: Path, arguments: list[str], ends: list[int]) -> NoReturn:
    """Be that program from here on."""
    code = _BUG
    try:
        for number, end in enumerate(ends):
            os.dup2(end, number)
            os.close(end)
        sys.argv = [str(program), *arguments]
        import_module(PROGRAMS[program.name]).main()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001  it may not come back as a second server
        sys.excepthook(*sys.exc_info())
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)
