"""The words before a command: applications and modes, and the guide's slash spellings (``dtam /fileprint``).

Only the words before the first command are looked at, so that a path such as /sql stays a path.
"""

from __future__ import annotations

from collections.abc import Sequence

APPLICATIONS = ("fileprint", "sql", "exchange", "sharepoint", "blackberry")
MODES = {
    "advanced": "Let setup ask for advanced settings, too.",
    "altdns": "Setup asks for a DNS of another make: a TSIG key.",
    "nosqlsearch": "Do not search for SQL Servers: known ones and those named by hand are all.",
}
"""Words that change how a command asks, each with what it does."""
_SLASHED = {f"/{word}": f"--{word}" for word in (*APPLICATIONS, *MODES, "help", "version")} | {"/?": "--help"}


def without_slashes(arguments: Sequence[str]) -> list[str]:
    """The arguments with the guide's spellings turned into options.

    >>> without_slashes(["/FilePrint", "status", "/sql"])
    ['--fileprint', 'status', '/sql']
    """
    turned: list[str] = []
    for position, word in enumerate(arguments):
        option = _SLASHED.get(word.lower(), word)
        turned.append(option)
        if not option.startswith("-"):
            return [*turned, *arguments[position + 1 :]]
    return turned
