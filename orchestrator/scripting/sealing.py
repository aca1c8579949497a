"""People's own place in a delivered script, and the seal that tells whether anything else was changed."""

from __future__ import annotations

import hashlib
import re

from orchestrator.scripting.errors import OWN_BEGIN, OWN_END, ScriptDamaged
from orchestrator.scripting.powershell import BYTE_ORDER_MARK

NO_SEAL = "0" * 64
_SEAL = re.compile(r"^# dtam: sealed sha256 (?P<hash>[0-9a-f]{64})$", re.MULTILINE)
_SIGNATURE = re.compile(r"\n+# SIG # Begin signature block\n(?:# .*\n)*# SIG # End signature block\n*\Z")


def seal_line(seal: str) -> str:
    """The line that carries a script's seal."""
    return f"# dtam: sealed sha256 {seal}"


def hash_of(text: str) -> str:
    """SHA-256 of a text in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def as_rendered(text: str) -> str:
    """A delivered text without what editors and signing do to it on Windows: line ends, byte order mark, a signature at the end."""
    return _SIGNATURE.sub("\n", text.removeprefix(BYTE_ORDER_MARK).replace("\r\n", "\n"))


def parted(name: str, text: str) -> tuple[str, str]:
    """People's own commands, and the script without them.

    Raises:
        ScriptDamaged: the marks of people's place are not there once, in order.
    """
    lines = as_rendered(text).splitlines(keepends=True)
    begins = [number for number, line in enumerate(lines) if line.strip() == OWN_BEGIN]
    ends = [number for number, line in enumerate(lines) if line.strip() == OWN_END]
    if len(begins) != 1 or len(ends) != 1 or begins[0] > ends[0]:
        raise ScriptDamaged(name=name, reason="the marks around your own commands are not there once, in order")
    return "".join(lines[begins[0] + 1 : ends[0]]), "".join((*lines[: begins[0] + 1], *lines[ends[0] :]))


def own_commands(name: str, text: str) -> str:
    """What people put into their place of a script.

    Raises:
        ScriptDamaged: the marks are gone.
    """
    return parted(name, text)[0]


def with_own(name: str, text: str, own: str) -> str:
    """A script with other commands in people's place; everything else, and its seal, stays.

    Raises:
        ScriptDamaged: the marks are gone.
    """
    parted(name, text)
    mark = BYTE_ORDER_MARK if text.startswith(BYTE_ORDER_MARK) else ""
    before, _, rest = as_rendered(text).partition(f"{OWN_BEGIN}\n")
    _, _, after = rest.partition(OWN_END)
    return f"{mark}{before}{OWN_BEGIN}\n{own}{OWN_END}{after}"


def is_sealed(text: str) -> bool:
    """Whether a script without people's part is what its seal says."""
    found = _SEAL.search(text)
    return found is not None and hash_of(text.replace(found["hash"], NO_SEAL, 1)) == found["hash"]
