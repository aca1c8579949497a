"""Names of files as Windows takes them: letters without regard to case, forbidden characters, reserved names, lengths."""

from __future__ import annotations

import re
from pathlib import Path

FORBIDDEN = re.compile(r'[<>"|?*\x00-\x1f:]')
RESERVED = re.compile(r"(CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|COM[1-9]|LPT[1-9])(\..*)?$", re.IGNORECASE)
LONGEST = 260
SHADOW = re.compile(r"\\\\\?\\GLOBALROOT\\Device\\HarddiskVolumeShadowCopy(\d+)(\\.*)?$", re.IGNORECASE)
VOLUME_GUID = re.compile(r"\\\\\?\\Volume\{([0-9a-f-]+)\}(\\.*)?$", re.IGNORECASE)
DRIVE = re.compile(r"([A-Za-z]):(.*)$", re.DOTALL)
UNC = re.compile(r"\\\\([^\\?.][^\\]*)\\([^\\]+)(\\.*)?$")


def parts_of(text: str) -> list[str]:
    """The names of a path below its root, with . and .. worked out and trailing dots and spaces dropped."""
    found: list[str] = []
    for part in text.replace("/", "\\").split("\\"):
        if part == "..":
            found = found[:-1]
        elif part.rstrip(". ") or (part and set(part) <= {" "}):
            found.append(part.rstrip(". "))
    return [one for one in found if one]


def bad_name(part: str) -> bool:
    """Whether no file may be called so."""
    return bool(FORBIDDEN.search(part) or RESERVED.match(part)) or len(part) > 255


def found_below(root: Path, parts: list[str]) -> Path:
    """The real path, each name in the case in which it exists; the names that do not exist as they are written."""
    at = root
    for part in parts:
        direct = at / part
        if not direct.exists() and not direct.is_symlink() and at.is_dir():
            direct = next((one for one in at.iterdir() if one.name.lower() == part.lower()), direct)
        at = direct
    return at
