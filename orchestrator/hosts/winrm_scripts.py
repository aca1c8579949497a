"""The scripts that lie on a Windows host, and the constant texts by which they are called and laid, and `dtam doctor` asks.

The scripts are files of the package (scripts/windows), laid once below Program Files. A call sends the constant ``loader`` and, on
standard input, one JSON request that names script and SHA-256; the loader checks every named file before it lets the first one run.
Nothing that is asked or answered ever becomes part of a script's text.
"""

from __future__ import annotations

import base64
import hashlib
import math
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources

PROGRAM = "powershell.exe"
COMMAND_LINE_MAX = 8191
"""What cmd.exe takes, in characters."""
SIGNED = b"# SIG # Begin signature block"
ENTRY = "call.ps1"
ALWAYS = (ENTRY, "state.ps1")
LOADER, INSTALLER = "loader.ps1", "installer.ps1"
ASKING = "doctor_"
"""How the names of texts begin by which a host is asked on which nothing lies yet; the loader, the installer and these are sent, never laid."""
NAME = re.compile(r"[a-z][a-z0-9_]*\.ps1")


@cache
def scripts() -> Mapping[str, str]:
    """Every script that is laid, by file name."""
    folder = resources.files("scripts") / "windows"
    texts = {one.name: one.read_text(encoding="utf-8") for one in folder.iterdir() if NAME.fullmatch(one.name)}
    return {name: texts[name] for name in sorted(texts) if not is_sent(name)}


def is_sent(name: str) -> bool:
    """Whether a script is a text that is sent with a call and never laid."""
    return name in {LOADER, INSTALLER} or name.startswith(ASKING)


@cache
def installed_bytes(name: str) -> bytes:
    """A script as it lies on a host: UTF-8 with a byte order mark, as Windows PowerShell 5.1 wants it, lines ended by CR LF.

    One that somebody signed in this installation is laid as it was signed, byte for byte.
    """
    held = (resources.files("scripts") / "windows" / name).read_bytes()
    if SIGNED in held:
        return held
    return ("\ufeff" + scripts()[name].replace("\n", "\r\n")).encode()


def sha256_of(name: str) -> str:
    """The digest that the file on the host must have."""
    return hashlib.sha256(installed_bytes(name)).hexdigest()


@cache
def arguments_of(name: str, line_chars: int = 0) -> tuple[str, ...]:
    """The arguments of powershell.exe that run a text which is sent whole, the same for every call.

    ``line_chars``: a comment before it makes the command line at least that long, to see whether such a line arrives.
    """
    text = _small((resources.files("scripts") / "windows" / name).read_text(encoding="utf-8"))
    arguments = _encoded(text)
    lacking = line_chars - len(" ".join((PROGRAM, *arguments)))
    return _encoded(f"#{'-' * math.ceil(lacking * 3 / 8)}\n{text}") if lacking > 0 else arguments


def _encoded(text: str) -> tuple[str, ...]:
    encoded = base64.b64encode(text.encode("utf-16-le")).decode("ascii")
    return ("-NoProfile", "-NonInteractive", "-OutputFormat", "Text", "-EncodedCommand", encoded)


def _small(text: str) -> str:
    """Without its help block and comment lines: they are for readers of the file."""
    plain = re.sub(r"<#.*?#>\s*", "", text, flags=re.DOTALL)
    return "\n".join(line.strip() for line in plain.splitlines() if line.strip() and not line.strip().startswith("#"))
