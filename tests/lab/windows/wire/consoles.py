"""Console programs that need a stream rather than a machine: hostname, whoami, more, ping of the host itself.

They are what the remote shell is shown with; programs that change anything are the machine's.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.lab.windows.wire.execution import STOPPED_BY_CTRL_C, Call

Console = Callable[[list[str], Call, str], int]
LOCAL = {"127.0.0.1", "localhost", "::1"}


def _say(call: Call, text: str) -> None:
    call.out(f"{text}\r\n".encode(call.encoding, "replace"))


def hostname(arguments: list[str], call: Call, name: str) -> int:
    """The name of the host."""
    if arguments:
        call.err(
            b"sethostname: Use the Network Control Panel Applet to set hostname.\r\nhostname -s is not supported.\r\n"
        )
        return 1
    _say(call, name)
    return 0


def whoami(arguments: list[str], call: Call, name: str) -> int:
    """The account of the shell, in small letters."""
    if [one.lower() for one in arguments] == ["/groups"]:
        for group in sorted(call.identity.groups):
            _say(call, f"BUILTIN\\{group}")
        _say(call, "NT AUTHORITY\\NETWORK")
        label = "High" if call.identity.elevated else "Medium"
        _say(call, f"Mandatory Label\\{label} Mandatory Level")
        return 0
    if arguments:
        call.err(f"ERROR: Invalid argument/option - '{arguments[0]}'.\r\nType \"WHOAMI /?\" for usage.\r\n".encode())
        return 1
    _say(call, call.identity.name.lower())
    return 0


def more(arguments: list[str], call: Call, name: str) -> int:
    """Standard input to standard output, without pages since there is no console."""
    for line in call.stdin.lines():
        call.out(line.rstrip(b"\r\n") + b"\r\n")
    return 0


def ping(arguments: list[str], call: Call, name: str) -> int:
    """A second for each echo but the first; the host itself only."""
    count, target = 4, ""
    words = iter(arguments)
    for word in words:
        if word.lower() in {"-n", "/n"}:
            count = int(next(words, "4"))
        else:
            target = word
    if target.lower() not in LOCAL:
        _say(call, f"Ping request could not find host {target}. Please check the name and try again.")
        return 1
    _say(call, f"\r\nPinging {target} with 32 bytes of data:")
    for number in range(count):
        if number and call.stopped.wait(1):
            return STOPPED_BY_CTRL_C
        _say(call, f"Reply from {target}: bytes=32 time<1ms TTL=128")
    return 0


CONSOLES: dict[str, Console] = {"hostname": hostname, "whoami": whoami, "more": more, "more.com": more, "ping": ping}


def words_of(line: str) -> list[str]:
    """A command line's words as the C runtime splits them: quotes, and backslashes that count only before a quote."""
    words: list[str] = []
    word, quoted, begun, position = "", False, False, 0
    while position < len(line):
        here = line[position]
        slashes = len(line[position:]) - len(line[position:].lstrip("\\"))
        before_quote = slashes and line[position + slashes : position + slashes + 1] == '"'
        if before_quote:
            word, begun, position = word + "\\" * (slashes // 2), True, position + slashes
            if slashes % 2:
                word, position = word + '"', position + 1
        elif here == '"':
            quoted, begun, position = not quoted, True, position + 1
        elif here in " \t" and not quoted:
            words += [word] if begun else []
            word, begun, position = "", False, position + 1
        else:
            word, begun, position = word + here, True, position + 1
    return words + ([word] if begun else [])


def console(line: str, call: Call, name: str) -> int | None:
    """Run the console program that a line names; None when it names none of these."""
    words = words_of(line)
    if not words:
        return None
    short = words[0].lower().rpartition("\\")[2].removesuffix(".exe")
    found = CONSOLES.get(short)
    return found(words[1:], call, name) if found else None
