"""Scripts are the plan, rendered: the steps that run on a host become that host's bash script.

A template is one deed (scripts/templates). Everything that a template prints is quoted as one shell word unless it says
``plain``, so that no name, path or address can become code. A script ends with a place for people's own commands; rendering it
anew keeps that place, and notices by a seal (a hash in the script) when somebody changed anything else.

Pure but for reading templates and ``keep_edited``: values in, text out. Invariant: the same steps give the same text, byte for byte.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import yaml

from orchestrator.errors import DtamError
from orchestrator.model.steps import Step

SCRIPTS = ("pre_failover", "post_failover", "pre_failback", "post_restore", "post_failback")
OWN_BEGIN = "# >>> your own commands"
OWN_END = "# <<< your own commands"
_SEAL = re.compile(r"^# dtam: sealed sha256 (?P<hash>[0-9a-f]{64})$", re.MULTILINE)
_FRONT_MATTER = re.compile(r"\A\{#\n(?P<text>.*?)\n#\}", re.DOTALL)
_ENDING = ".sh.j2"


class TemplateUnusable(DtamError):
    """A template is missing, misses a variable or has no front matter."""

    template = "step {step} cannot be rendered from the template {name}: {reason}"
    exit_code = 37
    hint_template = "templates are listed in docs/explanation/scripts.md; a plugin's are its own"


class ScriptDamaged(DtamError):
    """A delivered script lost the marks of people's place."""

    template = "the delivered script {name} cannot be rendered again: {reason}"
    exit_code = 38
    hint_template = "put the lines '" + OWN_BEGIN + "' and '" + OWN_END + "' back, or move the script away"


class Plain(str):
    """Text that a template prints as it is, not as a quoted word."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class TemplateFacts:
    """The front matter of a template: its deed, the variables it needs and may use, and its undo."""

    name: str
    does: str
    needs: tuple[str, ...]
    optional: tuple[str, ...]
    undo: str


@dataclass(frozen=True, slots=True)
class RenderedScript:
    """A script as text, with the ids of its steps in order."""

    name: str
    text: str
    step_ids: tuple[str, ...]

    @property
    def sha256(self) -> str:
        """Of the whole text in UTF-8, as the engine checks it."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Regenerated:
    """A script rendered anew over a delivered one.

    ``edited`` is the delivered text when somebody had changed more than their own place: warn first, keep it beside.
    """

    script: RenderedScript
    edited: str | None = None

    @property
    def warning(self) -> str:
        """What to tell before the new script takes the old one's place; empty when nothing is lost."""
        if self.edited is None:
            return ""
        return (
            f"{self.script.name} was changed outside the place for your own commands: that change will not be in the new "
            f"script; the old one is kept as {self.script.name}.edited"
        )


def render(name: str, protection: str, steps: Iterable[Step], own: str = "") -> RenderedScript:
    """The script of a host, from the steps that belong to it (those whose ``script`` names it), in their order.

    Raises:
        TemplateUnusable: a template is missing or misses a variable.
    """
    mine = [step for step in steps if step.script is not None and step.script.script == name]
    facts: dict[str, Any] = {
        "script": name,
        "protection": protection,
        "step_ids": [step.id for step in mine],
        "sentences": [step.sentence for step in mine],
        "undos": [_undo_words(step) for step in mine],
        "steps": [
            {"id": step.id, "sentence": step.sentence, "functions": Plain(_functions(number, step))}
            for number, step in enumerate(mine)
        ],
        "runtime": Plain(_source("common/runtime.sh").rstrip("\n")),
        "own_begin": OWN_BEGIN,
        "own_end": OWN_END,
    }
    skeleton = _environment().get_template("common/script" + _ENDING)
    bare = skeleton.render(**facts, own_commands="", seal=_seal_line("0" * 64))
    sealed = _seal_line(_hash_of(bare))
    return RenderedScript(name, skeleton.render(**facts, own_commands=own, seal=sealed), tuple(facts["step_ids"]))


def regenerate(name: str, protection: str, steps: Iterable[Step], delivered: str | None) -> Regenerated:
    """Render a script anew, keeping people's own commands of the delivered one.

    Raises:
        ScriptDamaged: the marks of people's place are gone from the delivered script.
        TemplateUnusable: a template is missing or misses a variable.
    """
    if delivered is None:
        return Regenerated(render(name, protection, steps))
    own, rest = _parted(name, delivered)
    changed = not _is_sealed(rest)
    return Regenerated(render(name, protection, steps, own), delivered if changed else None)


def keep_edited(folder: Path, regenerated: Regenerated) -> Path | None:
    """Keep the script that somebody changed as ``NAME.edited`` in a folder, before the new one takes its place.

    An earlier kept one with another text is not lost: the next number is taken (``NAME.edited.2``). None when nothing was changed.
    """
    if regenerated.edited is None:
        return None
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    base = folder / f"{regenerated.script.name}.edited"
    for number in itertools.count(1):
        path = base if number == 1 else base.with_name(f"{base.name}.{number}")
        if not path.exists() or path.read_text(encoding="utf-8") == regenerated.edited:
            break
    path.touch(0o600)
    path.write_text(regenerated.edited, encoding="utf-8")
    return path


def own_commands(name: str, text: str) -> str:
    """What people put into their place of a script.

    Raises:
        ScriptDamaged: the marks are gone.
    """
    return _parted(name, text)[0]


def template_facts(name: str) -> TemplateFacts:
    """The front matter of a template such as ``common/start_service``.

    Raises:
        TemplateUnusable: there is no such template, or it has no front matter.
    """
    try:
        found = _FRONT_MATTER.match(_source(name + _ENDING))
    except FileNotFoundError:
        raise TemplateUnusable(step="-", name=name, reason="there is no such template") from None
    facts = yaml.safe_load(found["text"]) if found else None
    if not isinstance(facts, Mapping) or not {"does", "needs", "undo"} <= set(facts):
        raise TemplateUnusable(step="-", name=name, reason="its front matter lacks does, needs or undo")
    return TemplateFacts(
        name, facts["does"], tuple(facts["needs"]), tuple(facts.get("optional", ())), str(facts["undo"])
    )


def template_names() -> tuple[str, ...]:
    """All templates of steps that this installation carries."""
    root = resources.files("scripts") / "templates"
    return tuple(
        sorted(
            f"{folder.name}/{file.name.removesuffix(_ENDING)}"
            for folder in root.iterdir()
            if folder.is_dir()
            for file in folder.iterdir()
            if file.name.endswith(_ENDING) and file.name != "script" + _ENDING and not file.name.startswith("_")
        )
    )


def _functions(number: int, step: Step) -> str:
    """The bash functions of one step: look, do, and where the template has them undo, dry and ``beforehand`` (done while fenced, too)."""
    call = step.script
    assert call is not None  # noqa: S101  render chose the steps that have one
    facts = _checked_facts(step)
    try:
        module = _environment().get_template(call.template + _ENDING).make_module(dict(call.variables))
        bodies = [(part, _body(module, part)) for part in ("look", "do", "undo", "dry", "beforehand")]
    except (jinja2.UndefinedError, ValueError) as error:
        raise TemplateUnusable(step=step.id, name=facts.name, reason=str(error)) from error
    return "\n".join(f"{part}_{number}() {{\n{body}\n}}" for part, body in bodies if body)


def _checked_facts(step: Step) -> TemplateFacts:
    assert step.script is not None  # noqa: S101  render chose the steps that have one
    name, given = step.script.template, set(step.script.variables)
    facts = template_facts(name)
    missing = [variable for variable in facts.needs if variable not in given]
    if missing:
        raise TemplateUnusable(step=step.id, name=name, reason=f"it needs {', '.join(missing)}")
    unknown = sorted(given - {*facts.needs, *facts.optional})
    if unknown:
        raise TemplateUnusable(step=step.id, name=name, reason=f"it does not know {', '.join(unknown)}")
    return facts


def _body(module: Any, part: str) -> str:
    macro = getattr(module, part, None)
    return "" if macro is None else str(macro()).strip("\n")


def _undo_words(step: Step) -> str:
    assert step.script is not None  # noqa: S101  render chose the steps that have one
    return template_facts(step.script.template).undo


def _parted(name: str, text: str) -> tuple[str, str]:
    """People's own commands, and the script without them."""
    lines = text.splitlines(keepends=True)
    begins = [number for number, line in enumerate(lines) if line.strip() == OWN_BEGIN]
    ends = [number for number, line in enumerate(lines) if line.strip() == OWN_END]
    if len(begins) != 1 or len(ends) != 1 or begins[0] > ends[0]:
        raise ScriptDamaged(name=name, reason="the marks around your own commands are not there once, in order")
    return "".join(lines[begins[0] + 1 : ends[0]]), "".join((*lines[: begins[0] + 1], *lines[ends[0] :]))


def _is_sealed(text: str) -> bool:
    found = _SEAL.search(text)
    return found is not None and _hash_of(text.replace(found["hash"], "0" * 64, 1)) == found["hash"]


def _seal_line(seal: str) -> str:
    return f"# dtam: sealed sha256 {seal}"


def _hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _source(name: str) -> str:
    return (resources.files("scripts") / "templates" / name).read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_load),
        undefined=jinja2.StrictUndefined,
        finalize=_word,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  the finalizer quotes for the shell; this is no web page
    )
    environment.filters["plain"] = _one_line
    environment.filters["plain_block"] = Plain
    return environment


def _load(name: str) -> str | None:
    try:
        return _source(name)
    except FileNotFoundError:
        return None


def _word(value: Any) -> str:
    """What a template prints, as shell words: a list becomes several."""
    if isinstance(value, Plain):
        return value
    if isinstance(value, jinja2.Undefined):
        return str(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return " ".join(_word(one) for one in value)
    text = str(value)
    if "\0" in text:
        msg = "a value holds a NUL character"
        raise ValueError(msg)
    return shlex.quote(text) if text.isprintable() else _ansi_quoted(text)


def _ansi_quoted(text: str) -> str:
    """Bash's ``$'...'``, so that a value with line breaks or control characters still stands on one line."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return "$'" + "".join(char if char.isprintable() else _escape(char) for char in escaped) + "'"


def _escape(char: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in char.encode("utf-8", "surrogateescape"))


def _one_line(value: Any) -> Plain:
    """Text as it is; what would end a comment's line becomes a space."""
    return (
        value
        if isinstance(value, Plain) and "\n" in value
        else Plain(re.sub(r"[\x00-\x1f\x7f\x85\u2028\u2029]", " ", str(value)))
    )
