"""Accounts of Windows as the simulated SQL Server knows them: by a file, and by winbind where the host is a member of the domain.

One JSON file, for its owner alone::

    {"LAB\\\\writer": {"password": "...", "sid": "S-1-5-21-...", "groups": {"LAB\\\\dba": "S-1-5-21-..."}, "upn": "writer@LAB.EXAMPLE"}}

Only accounts that log in by NTLM need a password here; where a SID is all that there is to say, it may stand instead of the object.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.lab.sqlserver.engine.port import WindowsIdentity

WINBIND_S = 10.0


def binary_sid(text: str) -> bytes:
    """S-1-5-21-... as bytes. Raises ValueError."""
    _, revision, authority, *parts = text.split("-")
    head = bytes([int(revision), len(parts)]) + int(authority).to_bytes(6, "big")
    return head + b"".join(struct.pack("<I", int(one)) for one in parts)


def text_sid(raw: bytes) -> str:
    """The reverse."""
    parts = struct.unpack(f"<{raw[1]}I", raw[8 : 8 + 4 * raw[1]])
    return "-".join(["S", str(raw[0]), str(int.from_bytes(raw[2:8], "big")), *map(str, parts)])


_KNOWN: dict[tuple[str, str], str] = {}
"""What winbind has said; what it did not know it is asked again."""


def _winbind(option: str, wanted: str) -> str:
    """What wbinfo says, empty when there is none or it knows nothing."""
    if (option, wanted) in _KNOWN:
        return _KNOWN[option, wanted]
    if shutil.which("wbinfo") is None:
        return ""
    try:
        done = subprocess.run(
            ["wbinfo", option, wanted], capture_output=True, text=True, timeout=WINBIND_S, check=False
        )
    except subprocess.TimeoutExpired:
        return ""
    if done.returncode == 0:
        _KNOWN[option, wanted] = done.stdout.strip()
    return _KNOWN.get((option, wanted), "")


class Accounts:
    """Those of one process; the file is read anew at each question."""

    def __init__(self, file: Path | None = None, ask_winbind: bool = False) -> None:
        self._file = file
        self._ask_winbind = ask_winbind

    def _all(self) -> list[tuple[str, dict[str, Any]]]:
        if self._file is None or not self._file.exists():
            return []
        document = json.loads(self._file.read_text(encoding="utf-8"))
        return [(name, {"sid": one} if isinstance(one, str) else one) for name, one in document.items()]

    def _sids(self) -> Iterator[tuple[str, str]]:
        for name, one in self._all():
            yield name, one.get("sid", "")
            yield from one.get("groups", {}).items()

    def identity(self, principal: str) -> WindowsIdentity | None:
        """The account of DOMAIN\\name or name@REALM, as far as the file tells of it."""
        for name, one in self._all():
            if principal.lower() in {name.lower(), str(one.get("upn", "")).lower()} and one.get("sid"):
                groups = tuple((group, binary_sid(sid)) for group, sid in one.get("groups", {}).items())
                return WindowsIdentity(name, binary_sid(one["sid"]), groups)
        return None

    def sid_of(self, name: str) -> bytes | None:
        """The SID of an account or of a group, None for one that nobody knows."""
        for known, sid in self._sids():
            if sid and known.lower() == name.lower():
                return binary_sid(sid)
        found = _winbind("--name-to-sid", name) if self._ask_winbind else ""
        return binary_sid(found.split(" ", 1)[0]) if found.startswith("S-") else None

    def name_of(self, sid: bytes) -> str:
        """The name of a SID; its own text for one that nobody knows."""
        text = text_sid(sid)
        for name, known in self._sids():
            if known == text:
                return name
        found = _winbind("--sid-to-name", text) if self._ask_winbind else ""
        return found.rsplit(" ", 1)[0] if "\\" in found else text

    def tell_ntlm(self, directory: Path) -> None:
        """Write the accounts with a password where the NTLM library reads them: it knows them by the environment only."""
        lines = []
        for name, one in self._all():
            domain, _, short = name.partition("\\")
            if "password" in one:
                lines.append(f"{domain}:{short}:{one['password']}")
                lines += [f":{one['upn']}:{one['password']}"] if one.get("upn") else []
        file = directory / "ntlm.users"
        file.unlink(missing_ok=True)
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write("".join(f"{line}\n" for line in lines))
        os.environ["NTLM_USER_FILE"] = str(file)
