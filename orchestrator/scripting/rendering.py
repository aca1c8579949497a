"""Steps into a host's script, and over a delivered one."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from orchestrator.model.servers import Platform
from orchestrator.model.steps import Step
from orchestrator.scripting.errors import OWN_BEGIN, OWN_END, TemplateUnusable
from orchestrator.scripting.plain import Plain
from orchestrator.scripting.sealing import NO_SEAL, hash_of, is_sealed, parted, seal_line
from orchestrator.scripting.templates import LANGUAGES, Language, TemplateFacts, environment, source, template_facts

SCRIPTS = ("pre_failover", "post_failover", "pre_failback", "post_restore", "post_failback")
PARTS = ("given", "look", "do", "undo", "dry", "beforehand")
"""What a template may have: a look and a do always. ``given`` (PowerShell) is a value that its parts share as ``$Given``;
``beforehand`` says that it is done while another server has the service, too."""


@dataclass(frozen=True, slots=True)
class RenderedScript:
    """A script as text, with the ids of its steps in order."""

    name: str
    text: str
    step_ids: tuple[str, ...]

    @property
    def sha256(self) -> str:
        """Of the whole text in UTF-8, as the host's side checks it."""
        return hash_of(self.text)


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


def render(
    name: str, protection: str, steps: Iterable[Step], own: str = "", platform: Platform = Platform.LINUX
) -> RenderedScript:
    """The script of a host, from the steps that belong to it (those whose ``script`` names it), in their order.

    ``platform`` is what the host runs: bash for Linux, Windows PowerShell 5.1 for Windows.

    Raises:
        TemplateUnusable: a template is missing, has no form for the platform or misses a variable.
    """
    language = LANGUAGES[platform]
    mine = [step for step in steps if step.script is not None and step.script.script == name]
    templates = [_checked_facts(step, platform) for step in mine]
    facts: dict[str, Any] = {
        "script": name,
        "protection": protection,
        "step_ids": [step.id for step in mine],
        "sentences": [step.sentence for step in mine],
        "undos": [template.undo for template in templates],
        "steps": [
            {
                "id": step.id,
                "sentence": step.sentence,
                "undo": template.undo,
                "functions": Plain(_functions(number, step, platform)),
            }
            for number, (step, template) in enumerate(zip(mine, templates, strict=True))
        ],
        "runtime": Plain(_shared(language, templates)),
        "own_begin": OWN_BEGIN,
        "own_end": OWN_END,
    }
    skeleton = environment(platform).get_template("common/script" + language.ending)
    bare = skeleton.render(**facts, own_commands="", seal=seal_line(NO_SEAL))
    sealed = seal_line(hash_of(bare))
    text = language.mark + skeleton.render(**facts, own_commands=own, seal=sealed)
    return RenderedScript(name, text, tuple(facts["step_ids"]))


def regenerate(
    name: str, protection: str, steps: Iterable[Step], delivered: str | None, platform: Platform = Platform.LINUX
) -> Regenerated:
    """Render a script anew, keeping people's own commands of the delivered one.

    Raises:
        ScriptDamaged: the marks of people's place are gone from the delivered script.
        TemplateUnusable: a template is missing, has no form for the platform or misses a variable.
    """
    if delivered is None:
        return Regenerated(render(name, protection, steps, platform=platform))
    own, rest = parted(name, delivered)
    changed = not is_sealed(rest)
    return Regenerated(render(name, protection, steps, own, platform), delivered if changed else None)


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


def _shared(language: Language, templates: Sequence[TemplateFacts]) -> str:
    """What every script carries, and the functions that its deeds use, each once."""
    ending = Path(language.runtime).suffix
    used = dict.fromkeys(name for template in templates for name in template.uses)
    files = (language.runtime, *(f"{name}{ending}" for name in used))
    return "\n\n".join(source(file).rstrip("\n") for file in files)


def _functions(number: int, step: Step, platform: Platform) -> str:
    """The parts of one step in the language of its host."""
    call = step.script
    assert call is not None  # noqa: S101  render chose the steps that have one
    language = LANGUAGES[platform]
    try:
        template = environment(platform).get_template(call.template + language.ending)
        module = template.make_module(dict(call.variables))
        bodies = {part: _body(module, part) for part in PARTS}
    except (jinja2.UndefinedError, ValueError, KeyError) as error:
        raise TemplateUnusable(step=step.id, name=call.template, reason=str(error)) from error
    return language.parts(number, {part: body for part, body in bodies.items() if body})


def _checked_facts(step: Step, platform: Platform) -> TemplateFacts:
    assert step.script is not None  # noqa: S101  render chose the steps that have one
    name, given = step.script.template, set(step.script.variables)
    facts = template_facts(name, platform)
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
