"""Samba's configuration as this room writes it: the registry where smb.conf uses it, else a file of our own that smb.conf includes.

An included file is replaced atomically and holds nothing but what was taken; the one line that includes it is put at the end of
``[global]`` and goes again with the file. ``testparm`` tells what holds in the end, wherever it was said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from orchestrator.identity import taken
from orchestrator.identity.errors import DocumentInvalid
from orchestrator.identity.running import Runner, failed, need

GLOBAL = "global"
_HEADER = re.compile(r"^\s*\[(?P<name>[^\]]*)\]")
_NO_SECTION = "NO_SUCH_SERVICE"
_TRUE, _FALSE = {"yes", "true", "1", "on"}, {"no", "false", "0", "off"}
Section = Mapping[str, str]


class Store(Protocol):
    """Where sections of the configuration are kept."""

    def read(self, section: str) -> dict[str, str] | None:
        """What a section says here, or None where it is not here."""
        ...

    def sections(self) -> dict[str, dict[str, str]]:
        """All that is here, by name in lower case."""
        ...

    def write(self, section: str, says: Section | None) -> None:
        """Let a section say exactly this; None: it goes. Of ``global`` only the named words change, an empty one goes."""
        ...


def sections_of(text: str) -> dict[str, dict[str, str]]:
    """The sections of text in smb.conf's syntax; names and words in lower case with single spaces, continued lines joined."""
    found: dict[str, dict[str, str]] = {}
    section: dict[str, str] = found.setdefault(GLOBAL, {})
    for line in re.sub(r"\\\r?\n[ \t]*", "", text).splitlines():
        stripped = line.strip()
        if not stripped or stripped[0] in "#;":
            continue
        header = _HEADER.match(line)
        if header:
            section = found.setdefault(_word(header["name"]), {})
        elif "=" in stripped:
            word, _, value = stripped.partition("=")
            section[_word(word)] = value.strip()
    return found


def _word(text: str) -> str:
    return " ".join(text.lower().split())


def is_true(value: str | None) -> bool:
    """Samba's idea of yes."""
    return (value or "").strip().lower() in _TRUE


def is_closed(available: str | None) -> bool:
    """Whether a share that says this of ``available`` lets nobody in."""
    return (available or "yes").strip().lower() in _FALSE


def text_of(sections: Mapping[str, Section], first_line: str = "") -> str:
    """Sections in smb.conf's syntax.

    Raises:
        DocumentInvalid: a value would become another line.
    """
    lines = [first_line] if first_line else []
    for name, says in sections.items():
        lines += [f"[{name}]", *(f"\t{word} = {value}" for word, value in says.items())]
    if any("\n" in line or "\r" in line for line in lines) or any("]" in name for name in sections):
        raise DocumentInvalid(reason="a word for smb.conf holds a line break or a bracket")
    return "\n".join(lines) + "\n"


def with_include(text: str, path: Path) -> str:
    """smb.conf with the line that includes a file at the end of ``[global]``; as it is where the line is there."""
    line = f"include = {path}"
    lines = text.splitlines(keepends=True)
    if any(_word(one) == _word(line) for one in lines):
        return text
    at = _end_of_global(lines)
    before = "".join(lines[:at])
    glue = "" if not before or before.endswith("\n") else "\n"
    header = "" if at else "[global]\n"
    return f"{before}{glue}{header}\t{line}\n{''.join(lines[at:])}"


def without_include(text: str, path: Path) -> str:
    """smb.conf without that line, all else as it is."""
    line = _word(f"include = {path}")
    return "".join(one for one in text.splitlines(keepends=True) if _word(one) != line)


def _end_of_global(lines: Sequence[str]) -> int:
    inside, end = False, 0
    for number, line in enumerate(lines):
        header = _HEADER.match(line)
        if header:
            inside = _word(header["name"]) == GLOBAL
        if inside and line.strip():
            end = number + 1
    return end


@dataclass(frozen=True, slots=True)
class Registry:
    """Samba's registry, through ``net conf``."""

    runner: Runner
    conf: Path

    def read(self, section: str) -> dict[str, str] | None:
        """From ``net conf showshare``.

        Raises:
            ProgramFailed: it cannot be asked; that is never taken for a section that is not there.
        """
        words = self._net("showshare", section)
        ran = self.runner.run(words)
        if not ran.ok and _NO_SECTION not in ran.out + ran.err:
            raise failed(words, ran)
        return sections_of(ran.out).get(_word(section), {}) if ran.ok else None

    def sections(self) -> dict[str, dict[str, str]]:
        """From ``net conf list``: one program for any number of shares.

        Raises:
            ProgramFailed: it cannot be asked.
        """
        return sections_of(need(self.runner, self._net("list")))

    def write(self, section: str, says: Section | None) -> None:
        """``global`` word by word, because other words of it are not ours; a share as a whole, in one transaction."""
        if section == GLOBAL:
            for word, value in (says or {}).items():
                self._set_global(word, value)
            return
        if says is not None:
            self._import(section, says)
        elif self.read(section) is not None:
            need(self.runner, self._net("delshare", section))

    def _import(self, section: str, says: Section) -> None:
        need(self.runner, self._net("import", "/dev/stdin", section), text_of({section: says}))

    def _set_global(self, word: str, value: str) -> None:
        now = (self.read(GLOBAL) or {}).get(word)
        if value and value != now:
            need(self.runner, self._net("setparm", GLOBAL, word, value))
        elif not value and now is not None:
            need(self.runner, self._net("delparm", GLOBAL, word))

    def _net(self, deed: str, *words: str) -> list[str]:
        """The words of a call; a section may begin with a dash."""
        return ["net", f"--configfile={self.conf}", "conf", deed, "--", *words]


@dataclass(frozen=True, slots=True)
class Included:
    """A file beside smb.conf that smb.conf includes; ``kind`` is part of its name."""

    conf: Path
    kind: str

    @property
    def path(self) -> Path:
        """The file."""
        return self.conf.with_name(f"dtam-{self.kind}.conf")

    def read(self, section: str) -> dict[str, str] | None:
        """From the file alone."""
        return self.sections().get(_word(section))

    def write(self, section: str, says: Section | None) -> None:
        """The file first, then the line that includes it; away in the other order."""
        sections = self.sections()
        if section == GLOBAL:
            merged = {**sections.get(GLOBAL, {}), **(says or {})}
            says = {word: value for word, value in merged.items() if value} or None
        sections.pop(_word(section), None)
        if says is not None:
            sections[section] = dict(says)
        if sections:
            taken.write_durably(
                self.path, text_of(sections, "# written by dtam; it goes when it is given back").encode(), 0o644
            )
            self._edit(with_include)
        else:
            self._edit(without_include)
            self.path.unlink(missing_ok=True)

    def sections(self) -> dict[str, dict[str, str]]:
        """From the file alone."""
        if not self.path.exists():
            return {}
        found = sections_of(self.path.read_text(encoding="utf-8"))
        return {name: says for name, says in found.items() if says}

    def _edit(self, change: Callable[[str, Path], str]) -> None:
        conf = self.conf.resolve()  # a symbolic link goes on leading to its file
        before = conf.read_text(encoding="utf-8")
        after = change(before, self.path)
        if after != before:
            taken.write_durably(conf, after.encode(), conf.stat().st_mode & 0o777)


def store_for(runner: Runner, conf: Path, *, shares: bool) -> Store:
    """The registry where this smb.conf reads it, else a file of our own."""
    says = sections_of(_text(conf)).get(GLOBAL, {})
    whole = says.get("include", "").lower() == "registry" or says.get("config backend", "").lower() == "registry"
    by_shares = shares and is_true(says.get("registry shares"))
    return Registry(runner, conf) if whole or by_shares else Included(conf, "shares" if shares else "names")


def parameter(runner: Runner, conf: Path, word: str) -> str:
    """What a global word comes to in the end."""
    return need(runner, ["testparm", "-s", f"--parameter-name={word}", str(conf)]).strip()


def whole(runner: Runner, conf: Path) -> dict[str, dict[str, str]]:
    """All sections as Samba reads them, the registry's among them."""
    return sections_of(need(runner, ["testparm", "-s", str(conf)]))


def reread(runner: Runner, conf: Path) -> None:
    """Let running daemons read it again."""
    runner.run(["smbcontrol", f"--configfile={conf}", "all", "reload-config"])


def reload(runner: Runner, conf: Path) -> tuple[str, ...]:
    """Let running daemons read it again, new NetBIOS names among it; what was done about those that cannot, as remarks.

    ``nmbd`` registers NetBIOS names at its start only, so it is restarted where the system's manager runs it.
    """
    reread(runner, conf)
    if not runner.run(["smbcontrol", f"--configfile={conf}", "nmbd", "ping", "--timeout=1"]).ok:
        return ()
    if runner.run(["systemctl", "try-restart", "nmbd"]).ok:
        return ("nmbd was restarted",)
    return ("nmbd runs outside the system's manager: restart it, so that it announces the NetBIOS names",)


def _text(conf: Path) -> str:
    try:
        return conf.read_text(encoding="utf-8")
    except OSError as error:
        raise DocumentInvalid(reason=f"{conf} cannot be read: {error.strerror}") from error
