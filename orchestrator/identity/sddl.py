"""Rights in security descriptors as text (SDDL), written as numbers. Pure.

Samba 4.17's ``sharesec`` reads the letters ``FA`` as 0x1ff instead of 0x1f01ff, and prints some masks as letters: numbers are the one
form that every version reads and writes alike. Source: [MS-DTYP] 2.5.1.1.
"""

from __future__ import annotations

import re

from orchestrator.identity.errors import DocumentInvalid

_RIGHTS = {
    "GA": 0x10000000,
    "GX": 0x20000000,
    "GW": 0x40000000,
    "GR": 0x80000000,
    "RC": 0x00020000,
    "SD": 0x00010000,
    "WD": 0x00040000,
    "WO": 0x00080000,
    "CC": 0x00000001,
    "DC": 0x00000002,
    "LC": 0x00000004,
    "SW": 0x00000008,
    "RP": 0x00000010,
    "WP": 0x00000020,
    "DT": 0x00000040,
    "LO": 0x00000080,
    "CR": 0x00000100,
    "FA": 0x001F01FF,
    "FR": 0x00120089,
    "FW": 0x00120116,
    "FX": 0x001200A0,
}
_USERSHARE_MASKS = {"F": ("A", 0x001F01FF), "R": ("A", 0x001200A9), "D": ("D", 0x001F01FF)}
_USERSHARE = re.compile(r"(?P<sid>S-1(?:-\d+)+):(?P<right>[FfRrDd])")
_ACE = re.compile(r"\((?P<kind>[A-Z]+);(?P<flags>[A-Z]*);(?P<rights>[^;()]*);(?P<rest>[^()]*)\)")


def numeric(sddl: str) -> str:
    """The same descriptor with every access mask as ``0x`` and eight digits.

    >>> numeric("D:(A;;FA;;;BA)(A;OICI;0x1200a9;;;WD)")
    'D:(A;;0x001f01ff;;;BA)(A;OICI;0x001200a9;;;WD)'

    Raises:
        DocumentInvalid: a mask has no form.
    """
    return _ACE.sub(
        lambda ace: f"({ace['kind']};{ace['flags']};0x{_mask(ace['rights']):08x};{ace['rest']})", sddl.strip()
    )


def of_usershare(acl: str) -> str:
    """The permissions of a share that a user defined, such as ``S-1-1-0:R,S-1-5-21-1-2-3-1104:F``; everyone's where nothing is said.

    >>> of_usershare("S-1-1-0:R")
    'D:(A;;0x001200a9;;;S-1-1-0)'

    Raises:
        DocumentInvalid: an entry has another form.
    """
    entries = [one.strip() for one in acl.split(",") if one.strip()]
    found = [_USERSHARE.fullmatch(one) for one in entries]
    if None in found:
        raise DocumentInvalid(reason=f"'{acl}' is no list of a user share's permissions")
    aces = [(*_USERSHARE_MASKS[one["right"].upper()], one["sid"]) for one in found if one]
    return "D:" + ("".join(f"({kind};;0x{mask:08x};;;{sid})" for kind, mask, sid in aces) or "(A;;0x001200a9;;;WD)")


def _mask(rights: str) -> int:
    text = rights.strip()
    try:
        if text[:2].lower() == "0x" or text.isdigit():
            return int(text, 0)
        return sum({pair: _RIGHTS[pair] for pair in re.findall("..", text.upper())}.values())
    except (KeyError, ValueError):
        raise DocumentInvalid(reason=f"'{rights}' is no access mask") from None
