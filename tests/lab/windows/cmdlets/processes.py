"""Start-Process: a program's own process, with its words as they are, its output in files."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tests.lab.windows.cmdlets.base import over_machine, texts
from tests.lab.windows.cmdlets.places import Place, location, place
from tests.lab.windows.machine.refusals import Refused
from tests.lab.windows.powershell.commands import PROGRAMS, Call
from tests.lab.windows.powershell.values import Cancelled, Computed, PsObject, typed

COMMANDS = "Microsoft.PowerShell.Commands."
INVALID = "System.InvalidOperationException"
KILLED = -1
LOOK_S = 0.05


class Started:
    """A process in a thread of its own."""

    def __init__(self, call: Call, words: str, stdin: bytes) -> None:
        from tests.lab.windows.powershell import run as powershell

        self.out, self.err, self.exit_code = bytearray(), bytearray(), None
        session = replace(call.session, location=str(call.get("WorkingDirectory", location(call))))
        self._process = powershell.start(
            words, call.machine, session, self.out.extend, self.err.extend, io.BytesIO(stdin)
        )
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.exit_code = self._process()
        except Cancelled:
            self.exit_code = KILLED

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return not self._thread.is_alive()

    def kill(self) -> None:
        """End it."""
        self._process.cancel()

    def wait(self, milliseconds: Any = None) -> bool:
        """Until it ended; whether it did in that time."""
        self._thread.join(None if milliseconds is None else float(milliseconds) / 1000)
        return self.over


def _file(call: Call, name: str) -> Place | None:
    return place(call, str(call.get(name))) if call.has(name) else None


def _known(call: Call, program: str) -> bool:
    base = program.strip('"').rpartition("\\")[2].lower()
    base = base if "." in base else f"{base}.exe"
    folder = program.strip('"').rpartition("\\")[0]
    from tests.lab.windows.powershell import run as powershell

    powershell.load_cmdlets()
    return (base in {"powershell.exe", "cmd.exe"} or base in PROGRAMS) and (
        not folder or folder.lower().startswith("c:\\windows")
    )


@over_machine("Start-Process", error_class=f"{COMMANDS}StartProcessCommand")
def start_process(call: Call) -> Iterator[Any]:
    """Start a program; with -Wait until it ends."""
    program = str(call.get("FilePath"))
    if call.has("RedirectStandardOutput") and call.get("RedirectStandardOutput") == call.get("RedirectStandardError"):
        message = 'This command cannot be run because "RedirectStandardOutput" and "RedirectStandardError" are same. Give different inputs and Run your command again.'
        raise Refused(message, INVALID, "InvalidOperation", INVALID)
    if not _known(call, program):
        message = "This command cannot be run due to the error: The system cannot find the file specified."
        raise Refused(message, "InvalidOperationException", "InvalidOperation", INVALID)
    if not call.should_process(program):
        return
    given = _file(call, "RedirectStandardInput")
    words = " ".join([f'"{program.strip(chr(34))}"', *texts(call.get("ArgumentList"))])
    started = Started(call, words, given.file.real.read_bytes() if given and given.file else b"")
    places = {name: _file(call, name) for name in ("RedirectStandardOutput", "RedirectStandardError")}

    def write() -> None:
        for name, data in (("RedirectStandardOutput", started.out), ("RedirectStandardError", started.err)):
            at = places[name]
            if at and at.file:
                at.file.real.write_bytes(bytes(data))

    write()
    if call.switch("Wait"):
        while not started.over:
            call.evaluator.check_cancelled()
            started.wait(LOOK_S * 1000)
        write()
    else:
        threading.Thread(target=lambda: (started.wait(), write()), daemon=True).start()
    if call.switch("PassThru"):
        yield _object(started, program)


def _object(started: Started, program: str) -> PsObject:
    name = program.strip('"').rpartition("\\")[2].rpartition(".")[0] or program
    items = {
        "Id": id(started) % 60000 // 4 * 4,
        "ProcessName": name,
        "Name": name,
        "HasExited": Computed(lambda: started.over),
        "ExitCode": Computed(lambda: started.exit_code),
    }
    made = typed("System.Diagnostics.Process", items, text=f"System.Diagnostics.Process ({name})")
    made.methods.update(
        WaitForExit=started.wait, Kill=started.kill, Refresh=lambda: None, Dispose=lambda: None, Close=lambda: None
    )
    return made
