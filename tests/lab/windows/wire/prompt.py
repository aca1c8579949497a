"""The little of cmd.exe that a remote shell runs command lines through: ``cmd /c "line"``.

Known: ``&``, ``&&``, ``||``, redirections to nul, ``2>&1``, quotes, ``^``, ``%NAME%``, echo, exit, cd, ver, set, rem.
Everything else of cmd.exe (for, if, pipes, labels, files as targets) is refused as "not recognized", never passed over. Lines of more
than 8191 characters are refused, as the published limit of cmd.exe has it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.lab.windows.wire.execution import Call

LIMIT = 8191
VERSION = "Microsoft Windows [Version 10.0.20348.0]"
Program = Callable[[str, Any], int | None]
VARIABLE = re.compile(r"%([A-Za-z_][A-Za-z0-9_()]*)%")
REDIRECTION = re.compile(r"(?P<from>[12]?)>(?P<to>\s*(?:nul|&1|&2))", re.IGNORECASE)


@dataclass
class Part:
    """One command of a line and the sign that stands before it."""

    sign: str
    text: str


@dataclass
class Prompt:
    """One cmd.exe. ``program`` runs a program's command line; None when there is no such program."""

    call: Call
    program: Program
    directory: str = "C:\\Windows\\system32"
    variables: dict[str, str] = field(default_factory=dict)
    over: bool = False
    target: Any = None  # where the streams of the command that runs now go

    def run(self) -> int:
        """Run the whole line; the exit code of the last command."""
        self.target = self.call
        self.variables = {name.upper(): value for name, value in self.call.environment.items()}
        if len(self.call.line) > LIMIT:
            self._complain("The command line is too long.")
            return 1
        code = 0
        for part in parts(self.call.line):
            if (part.sign == "&&" and code) or (part.sign == "||" and not code):
                continue
            if part.sign == "|":
                self._complain("pipes are not part of this simulation of cmd.exe.")
                return 255
            code = self._one(part.text.lstrip())
            if self.over:
                break
        return code

    def _complain(self, text: str) -> None:
        self.target.err(f"{text}\r\n".encode(self.call.encoding, "replace"))

    def _say(self, text: str) -> None:
        self.target.out(f"{text}\r\n".encode(self.call.encoding, "replace"))

    def _one(self, text: str) -> int:
        text = VARIABLE.sub(lambda found: self.variables.get(found.group(1).upper(), found.group(0)), text)
        where = {found["from"] or "1": found["to"].strip().lower() for found in REDIRECTION.finditer(text)}
        self.target = _Redirected(self.call, where) if where else self.call
        plain = REDIRECTION.sub("", text) if where else text
        if re.search(r"[<>]", re.sub(r'"[^"]*"|\^.', "", plain)):
            self._complain("redirections to files are not part of this simulation of cmd.exe.")
            return 255
        if not plain.strip():
            return 0
        word = re.split(r"[\s/.(]", plain, maxsplit=1)[0].lower() if plain[0] != '"' else ""
        builtin = getattr(self, f"_do_{word}", None) if word else None
        if builtin is not None and not plain[len(word) :].lower().startswith((".exe", ".cmd")):
            return builtin(plain[len(word) :])
        return self._run_program(plain.strip())

    def _run_program(self, plain: str) -> int:
        code = self.program(plain.replace("^", "") if '"' not in plain else plain, self.target)
        if code is None:
            name = plain.split(" ", maxsplit=1)[0].strip('"')
            self._complain(
                f"'{name}' is not recognized as an internal or external command,\r\noperable program or batch file."
            )
            return 1
        return code

    def _do_echo(self, rest: str) -> int:
        text = rest[1:] if rest[:1] in {" ", ".", "\t"} else rest
        self._say(text.replace("^", "") if rest.strip() else "ECHO is on.")
        return 0

    def _do_exit(self, rest: str) -> int:
        words = [one for one in rest.split() if one.lower() != "/b"]
        self.over = True
        return int(words[0]) & 0xFFFFFFFF if words and re.fullmatch(r"-?\d+", words[0]) else 0

    def _do_ver(self, _rest: str) -> int:
        self._say("")
        self._say(VERSION)
        return 0

    def _do_cd(self, rest: str) -> int:
        if rest.strip():
            self._complain("The system cannot find the path specified.")
            return 1
        self._say(self.call.directory or self.directory)
        return 0

    def _do_rem(self, _rest: str) -> int:
        return 0

    def _do_set(self, rest: str) -> int:
        name, sign, value = rest.strip().strip('"').partition("=")
        if sign:
            self.variables[name.upper()] = value
            self.call.environment = {**self.call.environment, name: value}
            return 0
        found = sorted((key, one) for key, one in self.variables.items() if key.startswith(name.upper()))
        if not found:
            self._complain(f"Environment variable {name} not defined")
            return 1
        for key, one in found:
            self._say(f"{key}={one}")
        return 0


class _Redirected:
    """A call whose streams go elsewhere: to nul or into each other."""

    def __init__(self, call: Call, where: dict[str, str]) -> None:
        self._call = call
        self._where = where

    def __getattr__(self, name: str) -> object:
        return getattr(self._call, name)

    def _write(self, number: str, data: bytes) -> None:
        where = self._where.get(number, "")
        if where == "nul":
            return
        ({"1": self._call.out, "2": self._call.err}[where.lstrip("&") or number])(data)

    def out(self, data: bytes) -> None:
        """Standard output."""
        self._write("1", data)

    def err(self, data: bytes) -> None:
        """Standard error."""
        self._write("2", data)


def parts(line: str) -> Iterator[Part]:
    """The commands of a line with the signs between them; signs in quotes, escaped, or in 2>&1 are text."""
    sign, text, quoted, position = "", "", False, 0
    while position < len(line):
        here = line[position]
        two = line[position : position + 2]
        if here == "^" and not quoted:
            text += two
            position += 2
        elif here == '"':
            quoted, text, position = not quoted, text + here, position + 1
        elif not quoted and two in {"&&", "||"}:
            yield Part(sign, text)
            sign, text, position = two, "", position + 2
        elif not quoted and here in "&|" and not text.endswith(">"):
            yield Part(sign, text)
            sign, text, position = here, "", position + 1
        else:
            text, position = text + here, position + 1
    yield Part(sign, text)
