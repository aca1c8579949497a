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


def _mask(rights: str) -> int:
    text = rights.strip()
    try:
        if text[:2].lower() == "0x" or text.isdigit():
            return int(text, 0)
        return sum({pair: _RIGHTS[pair] for pair in re.findall("..", text.upper())}.values())
    except (KeyError, ValueError):
        raise DocumentInvalid(reason=f"'{rights}' is no access mask") from None
