"""The administrator of the demo: types ``dtam`` and shows what it answered."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

from demo.narrator import Narrator
from demo.stage import Stage, program


class StoryBroken(Exception):
    """A command of the story failed; its own words are the message."""


class Administrator:
    """Runs ``dtam`` with the demo's own DTAM_HOME."""

    def __init__(self, stage: Stage, narrator: Narrator) -> None:
        self._stage = stage
        self._narrator = narrator

    def types(
        self, *words: str, may_fail: bool = False, hides: str = "", from_line: str = "", shows_last: int = 0
    ) -> None:
        """Run a command and tell it. ``hides`` leaves out lines that begin so (the narrator says how many).

        ``from_line`` leaves out what comes before the first line that begins so; ``shows_last`` shows the last lines only.
        Where nothing is left out and people watch, the command has the terminal itself, with its bars and colours.
        """
        self._narrator.typed("dtam " + " ".join(words))
        if self._narrator.is_terminal and not (hides or from_line or shows_last):
            self._run(words, may_fail=may_fail, shown=True)
            return
        lines = self._run(words, may_fail=may_fail).stdout.splitlines()
        start = next((n for n, line in enumerate(lines) if from_line and line.startswith(from_line)), 0)
        told = [line for line in lines[start:] if not (hides and line.startswith(hides))]
        self._narrator.answered("\n".join(told[-shows_last:]))

    def status(self) -> Any:
        """The protection as ``dtam status --json`` tells it."""
        return json.loads(self._run(("--fileprint", "status", "--json"), may_fail=True).stdout)[0]

    def connection(self) -> Any:
        """The figures of its connection."""
        return self.status()["connection"]

    def _run(self, words: tuple[str, ...], *, may_fail: bool, shown: bool = False) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "DTAM_HOME": str(self._stage.home), "COLUMNS": "140"}
        output = None if shown else subprocess.PIPE
        done = subprocess.run(
            [program("dtam"), *words], env=environment, stdout=output, stderr=output, text=True, check=False
        )
        if done.returncode and not may_fail:
            told = "" if shown else f":\n{done.stdout}{done.stderr}"
            raise StoryBroken(f"dtam {' '.join(words)} ended with {done.returncode}{told}")
        return done
