"""CLIXML as powershell.exe writes it to standard error when its output is not a console's."""

from __future__ import annotations

import re
from typing import Any
from xml.sax.saxutils import escape

from tests.lab.windows.powershell.convert import to_text
from tests.lab.windows.powershell.formatting import error_text
from tests.lab.windows.powershell.values import ErrorRecord

HEAD = "#< CLIXML\r\n"
NAMES = {"error": "Error", "warning": "warning", "verbose": "verbose", "debug": "debug", "information": "information"}


def encode_text(text: str) -> str:
    """A text in CLIXML: control characters as _x000D_, and what looks like one escaped."""
    marked = re.sub(r"_(?=x[0-9A-Fa-f]{4}_)", "_x005F_", text)
    return escape(re.sub(r"[\x00-\x1f\x7f]", lambda found: f"_x{ord(found[0]):04X}_", marked))


def error_stream(records: list[tuple[str, Any]]) -> bytes:
    """The records of all streams but the output, as one document."""
    parts: list[str] = []
    for place, (stream, value) in enumerate(records):
        if stream == "progress":
            parts.append(_progress(place, to_text(value)))
            continue
        text = error_text(value) + "\r\n" if isinstance(value, ErrorRecord) else to_text(value)
        lines = text.splitlines(keepends=True) if stream == "error" else [text]
        parts.extend(f'<S S="{NAMES[stream]}">{encode_text(line)}</S>' for line in lines)
    body = "".join(parts)
    return (
        f'{HEAD}<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">{body}</Objs>'.encode()
    )


def _progress(place: int, text: str) -> str:
    return (
        f'<Obj S="progress" RefId="{place}"><TN RefId="{place}"><T>System.Management.Automation.PSCustomObject</T><T>System.Object</T></TN>'
        f'<MS><I64 N="SourceId">1</I64><PR N="Record"><AV>{encode_text(text)}</AV><AI>0</AI><Nil /><PI>-1</PI><PC>-1</PC><T>Processing</T><SR>-1</SR><SD> </SD></PR></MS></Obj>'
    )
