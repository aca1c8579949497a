"""The command lines of powershell.exe and cmd.exe."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field

from tests.lab.windows.powershell.binding import Given

CMD_LIMIT = 8191


PROCESS_LIMIT = 32766


POLICIES = ("AllSigned", "RemoteSigned", "Default", "Restricted", "Unrestricted", "Bypass", "Undefined")


@dataclass
class CommandLine:
    """A powershell.exe command line, read."""

    text: str | None = None
    file: str | None = None
    arguments: list[Given] = field(default_factory=list)
    from_stdin: bool = False
    encoded: bool = False
    execution_policy: str = ""
    clixml: bool = False
    refusal: str = ""


def parse_command_line(words: list[str]) -> CommandLine:
    """The parameters of powershell.exe (about_PowerShell_exe); `words` begins with the program.

    Parameters may be shortened as there; what is no parameter begins the command.
    """
    made = CommandLine()
    rest = list(words[1:])
    names = (
        "psconsolefile",
        "version",
        "nologo",
        "noexit",
        "sta",
        "mta",
        "noprofile",
        "noninteractive",
        "inputformat",
        "outputformat",
        "windowstyle",
        "encodedcommand",
        "configurationname",
        "file",
        "executionpolicy",
        "command",
        "help",
    )
    while rest:
        word = rest.pop(0)
        if not word.startswith(("-", "/")) or word == "-":
            rest.insert(0, word)
            made.text, made.from_stdin = _command(rest)
            break
        key = word[1:].casefold()
        short = {
            "ec": "encodedcommand",
            "e": "encodedcommand",
            "enc": "encodedcommand",
            "ep": "executionpolicy",
            "ex": "executionpolicy",
            "f": "file",
            "c": "command",
            "nop": "noprofile",
            "noni": "noninteractive",
            "o": "outputformat",
            "of": "outputformat",
            "if": "inputformat",
            "w": "windowstyle",
            "v": "version",
            "?": "help",
            "h": "help",
        }
        name = short.get(key) or next((one for one in names if key and one.startswith(key)), "")
        if name in ("nologo", "noexit", "sta", "mta", "noprofile", "noninteractive"):
            continue
        if name == "help":
            made.text = "'PowerShell[.exe]'"
            break
        if not name:
            rest.insert(0, word)
            made.text, made.from_stdin = _command(rest)
            break
        if not rest and name != "command":
            made.refusal = f"Cannot process the command because of a missing parameter. A value must follow -{name}."
            break
        if name == "command":
            made.text, made.from_stdin = _command(rest)
            break
        if name == "file":
            made.file = rest.pop(0)
            made.from_stdin = made.file == "-"
            made.arguments = _file_arguments(rest)
            break
        value = rest.pop(0)
        _value(made, name, value)
        if made.refusal:
            break
    return made


def _value(made: CommandLine, name: str, value: str) -> None:
    if name == "encodedcommand":
        try:
            made.text, made.encoded, made.clixml = (
                base64.b64decode(value, validate=True).decode("utf-16-le"),
                True,
                True,
            )
        except (binascii.Error, UnicodeDecodeError):
            made.refusal = "Cannot process the command because the value specified with -EncodedCommand is not properly encoded. The value must be Base64 encoded."
    elif name == "executionpolicy":
        found = [one for one in POLICIES if one.casefold() == value.casefold()]
        made.execution_policy = found[0] if found else ""
        if not found:
            made.refusal = f"Cannot set execution policy: {value}"
    elif name == "outputformat":
        made.clixml = value.casefold() == "xml"
    elif name in ("version", "psconsolefile", "configurationname") and not (
        name == "version" and value.startswith(("5", "4", "3"))
    ):
        made.refusal = f"-{name} {value} lies outside the simulation"


def _command(rest: list[str]) -> tuple[str | None, bool]:
    if rest == ["-"]:
        return None, True
    return " ".join(rest), False


def _file_arguments(words: list[str]) -> list[Given]:
    made: list[Given] = []
    for word in words:
        found = re.fullmatch(r"-([A-Za-z_]\w*)(?::(.*))?", word, re.DOTALL)
        if found is None:
            made.append(Given(None, word, word))
        elif found[2] is None or found[2] == "":
            made.append(Given(found[1]))
        else:
            made.append(
                Given(found[1], {"$true": True, "$false": False}.get(found[2].casefold(), found[2]), "", has_value=True)
            )
    return made


def split_line(text: str) -> list[str]:
    """A command line as its words, as Windows' C runtime splits it."""
    words: list[str] = []
    word, quoted, there, place = "", False, False, 0
    while place < len(text):
        slashes = len(text[place:]) - len(text[place:].lstrip("\\"))
        after = text[place + slashes : place + slashes + 1]
        if slashes and after == '"':
            word += "\\" * (slashes // 2)
            place += slashes
            if slashes % 2:
                word += '"'
                place += 1
            there = True
            continue
        char = text[place]
        if char == '"':
            quoted, there = not quoted, True
        elif char in " \t" and not quoted:
            if there:
                words.append(word)
            word, there = "", False
        else:
            word, there = word + char, True
        place += 1
    return [*words, word] if there else words


@dataclass(frozen=True)
class Failed:
    """A command line that never became a process."""

    exit_code: int
    stderr: str


def prepare(command: str | list[str], *, by_cmd: bool = False) -> tuple[list[str], Failed | None]:
    """The words of a command line, cmd.exe taken off its front; or why nothing is started.

    `by_cmd`: cmd.exe runs the line in any case, as WinRS does unless it is told otherwise; then it may have at most 8191 characters.
    """
    text = (
        command
        if isinstance(command, str)
        else " ".join(
            word if word and not re.search(r'[\s"]', word) else '"' + word.replace('"', '\\"') + '"' for word in command
        )
    )
    words = split_line(text) if isinstance(command, str) else list(command)
    through = by_cmd or (bool(words) and words[0].casefold() in ("cmd", "cmd.exe"))
    if through and len(text) > CMD_LIMIT:
        return [], Failed(1, "The command line is too long.\r\n")
    if words and words[0].casefold() in ("cmd", "cmd.exe"):
        words = (
            split_line(re.sub(r'(?i)^\s*"?cmd(\.exe)?"?\s+(/[a-z]\s+)*', "", text).strip())
            if isinstance(command, str)
            else [one for one in words[1:] if not re.fullmatch(r"/[a-zA-Z]", one)]
        )
        if len(words) == 1 and " " in words[0]:
            words = split_line(words[0])
    return words, None


def base_name(word: str) -> str:
    """`powershell.exe` of any way to write it."""
    name = word.strip('"').rpartition("\\")[2].casefold()
    return name if "." in name else name + ".exe"
