"""A tutorial as a test: every command in its console blocks is run where its prompt says, and must say what stands below it.

    root@alpha# dtengine server
    engine of ... is well

A line below a command must be among what the command says; ``...`` in it stands for anything. A command that goes on in the next line ends with a
backslash; one with a here-document ends with the document's last line. A block ```yaml title="/etc/x.yaml" host="admin"``` is a file of that host.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.hosts import LabHost

BLOCK = re.compile(r"^```(?P<kind>\S+)(?P<about>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
ABOUT = re.compile(r'(\w+)="([^"]*)"')
PROMPT = re.compile(r"^(?P<user>[a-z]+)@(?P<host>[a-z0-9]+)[#$] (?P<command>.*)$")
HERE = re.compile(r"<<'?(\w+)'?")


@dataclass
class Told:
    """A command and what it says, or a file."""

    host: str
    command: str
    says: list[str] = field(default_factory=list)
    file: str = ""


def told(document: Path) -> Iterator[Told]:
    """What a reader does, in order."""
    for found in BLOCK.finditer(document.read_text(encoding="utf-8")):
        about = dict(ABOUT.findall(found["about"]))
        if found["kind"] == "console":
            yield from _commands(found["text"])
        elif "title" in about:
            yield Told(about["host"], found["text"], file=about["title"])


def _commands(text: str) -> Iterator[Told]:
    now, ends, lines = None, "", iter(text.splitlines())
    for line in lines:
        prompt = PROMPT.match(line)
        if now is not None and ends:
            now.command += f"\n{line}"
            ends = "" if line == ends else ends
        elif now is not None and now.command.endswith("\\"):
            now.command += f"\n{line}"
        elif prompt:
            if now is not None:
                yield now
            now = Told(prompt["host"], prompt["command"])
            here = HERE.search(now.command)
            ends = here[1] if here else ""
        elif now is not None and line.strip():
            now.says.append(line.strip())
    if now is not None:
        yield now


def follow(
    document: Path, hosts: Mapping[str, LabHost], environment: Mapping[str, str], elsewhere: Callable[[Told], str]
) -> None:
    """Do it all; ``elsewhere`` does what is to be done on no host of the lab, and gives what was said.

    Raises:
        AssertionError: a command failed, or said something else.
    """
    for one in told(document):
        if one.file:
            hosts[one.host].write(one.file, one.command, 0o600)
            continue
        said = _done(hosts[one.host], one.command, environment) if one.host in hosts else elsewhere(one)
        for line in one.says:
            pattern = ".*".join(re.escape(part.strip()) for part in line.split("..."))
            assert re.search(pattern, said), f"{one.host}: {one.command}\nsays no {line!r} but\n{said}"


def _done(host: LabHost, command: str, environment: Mapping[str, str]) -> str:
    done = host.run(["sh", "-c", command], env=environment, check=False, timeout_s=300)
    assert done.returncode == 0, f"{host.name}: {command}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr
