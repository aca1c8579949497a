"""The templates of deeds that this installation carries, in the language of each platform."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import jinja2
import yaml

from orchestrator.model.servers import Platform
from orchestrator.scripting import bash, documents, powershell
from orchestrator.scripting.errors import TemplateUnusable
from orchestrator.scripting.plain import Plain, one_line

_FRONT_MATTER = re.compile(r"\A\{#\n(?P<text>.*?)\n#\}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Language:
    """How values and the parts of a step are written for a platform.

    ``ending`` of a template's file; ``runtime`` what all scripts share; ``mark`` what a script's text begins with; ``word`` a value
    that a template prints; ``comment`` text for a comment; ``parts`` a step's parts; ``filters`` what its templates may call.
    """

    ending: str
    runtime: str
    mark: str
    word: Callable[[Any], str]
    comment: Callable[[Any], Plain]
    parts: Callable[[int, Mapping[str, str]], str]
    filters: Mapping[str, Callable[..., Any]]


LANGUAGES = {
    Platform.LINUX: Language(".sh.j2", "common/runtime.sh", "", bash.word, one_line, bash.functions, {}),
    Platform.WINDOWS: Language(
        ".ps1.j2",
        "common/runtime.ps1",
        powershell.BYTE_ORDER_MARK,
        powershell.literal,
        powershell.comment,
        powershell.entries,
        {
            "shares": documents.shares,
            "names": documents.names,
            "addresses": documents.addresses,
            "start_type": documents.start_type,
        },
    ),
}


@dataclass(frozen=True, slots=True)
class TemplateFacts:
    """The front matter of a template: its deed, the variables it needs and may use, and its undo.

    ``uses`` names the files of shared functions (``common/services``) that a script with this deed carries, once each.
    """

    name: str
    does: str
    needs: tuple[str, ...]
    optional: tuple[str, ...]
    undo: str
    uses: tuple[str, ...] = ()


def template_facts(name: str, platform: Platform = Platform.LINUX) -> TemplateFacts:
    """The front matter of a template such as ``common/start_service``.

    Raises:
        TemplateUnusable: there is no such template for the platform, or it has no front matter.
    """
    try:
        found = _FRONT_MATTER.match(source(name + LANGUAGES[platform].ending))
    except FileNotFoundError:
        raise TemplateUnusable(step="-", name=name, reason=_why_missing(name, platform)) from None
    facts = yaml.safe_load(found["text"]) if found else None
    if not isinstance(facts, Mapping) or not {"does", "needs", "undo"} <= set(facts):
        raise TemplateUnusable(step="-", name=name, reason="its front matter lacks does, needs or undo")
    return TemplateFacts(
        name,
        facts["does"],
        tuple(facts["needs"]),
        tuple(facts.get("optional", ())),
        str(facts["undo"]),
        tuple(facts.get("uses", ())),
    )


def template_names(platform: Platform = Platform.LINUX) -> tuple[str, ...]:
    """All templates of steps that this installation carries for a platform."""
    root = resources.files("scripts") / "templates"
    ending = LANGUAGES[platform].ending
    return tuple(
        sorted(
            f"{folder.name}/{file.name.removesuffix(ending)}"
            for folder in root.iterdir()
            if folder.is_dir()
            for file in folder.iterdir()
            if file.name.endswith(ending) and file.name != "script" + ending and not file.name.startswith("_")
        )
    )


def source(name: str) -> str:
    """The text of a file below scripts/templates.

    Raises:
        FileNotFoundError.
    """
    return (resources.files("scripts") / "templates" / name).read_text(encoding="utf-8")


@cache
def environment(platform: Platform) -> jinja2.Environment:
    """What renders the templates of a platform: everything printed is a word of its language."""
    language = LANGUAGES[platform]
    made = jinja2.Environment(
        loader=jinja2.FunctionLoader(_load),
        undefined=jinja2.StrictUndefined,
        finalize=language.word,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  the finalizer quotes for the script's language; this is no web page
    )
    made.filters["plain"] = language.comment
    made.filters["plain_block"] = Plain
    made.filters.update(language.filters)
    return made


def _why_missing(name: str, platform: Platform) -> str:
    others = [other for other in Platform if other is not platform and name in template_names(other)]
    return f"it has a form for {others[0]} only, not for {platform}" if others else "there is no such template"


def _load(name: str) -> str | None:
    try:
        return source(name)
    except FileNotFoundError:
        return None
