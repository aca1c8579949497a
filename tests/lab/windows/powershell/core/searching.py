"""Select-String over texts of the pipeline."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.lab.windows.powershell import net_objects
from tests.lab.windows.powershell.commands import Call, cmdlet
from tests.lab.windows.powershell.convert import to_text
from tests.lab.windows.powershell.patterns import compile_pattern
from tests.lab.windows.powershell.values import OutsideSubset, as_list, typed


@cmdlet("Select-String", whole=True)
def select_string(call: Call) -> Iterator[Any]:
    if call.has("Path") or call.has("LiteralPath") or call.has("Context"):
        raise OutsideSubset(
            "Select-String in files or with -Context lies outside the subset; read the file with Get-Content"
        )
    texts = [to_text(one) for one in as_list(call.get("Pattern"))]
    simple, cased = call.switch("SimpleMatch"), call.switch("CaseSensitive")
    patterns = [compile_pattern(re.escape(text) if simple else text, cased=cased) for text in texts]
    found_any = False
    for place, item in enumerate(call.input if call.has_input else as_list(call.get("InputObject"))):
        line = to_text(item)
        found = next((match for pattern in patterns if (match := pattern.search(line)) is not None), None)
        if (found is None) is not call.switch("NotMatch"):
            continue
        found_any = True
        if not call.switch("Quiet"):
            matches = [net_objects.match_object(found)] if found is not None else []
            yield typed(
                "Microsoft.PowerShell.Commands.MatchInfo",
                {"Line": line, "LineNumber": place + 1, "Pattern": texts[0], "Matches": matches, "Path": "InputStream"},
                text=line,
            )
    if call.switch("Quiet"):
        yield found_any
