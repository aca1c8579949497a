"""Scripts are the plan, rendered: the steps that run on a host become that host's script, bash on Linux, PowerShell on Windows.

A template is one deed (scripts/templates). Everything that a template prints is quoted as one word, or written as a literal, of the
script's language unless it says ``plain``, so that no name, path or address can become code. A script ends with a place for people's
own commands; rendering it anew keeps that place, and notices by a seal (a hash in the script) when somebody changed anything else.

Pure but for reading templates and ``keep_edited``: values in, text out. Invariant: the same steps give the same text, byte for byte.
"""

from orchestrator.scripting.errors import OWN_BEGIN, OWN_END, ScriptDamaged, TemplateUnusable
from orchestrator.scripting.rendering import SCRIPTS, Regenerated, RenderedScript, keep_edited, regenerate, render
from orchestrator.scripting.sealing import own_commands, with_own
from orchestrator.scripting.templates import TemplateFacts, template_facts, template_names

__all__ = [
    "OWN_BEGIN",
    "OWN_END",
    "SCRIPTS",
    "Regenerated",
    "RenderedScript",
    "ScriptDamaged",
    "TemplateFacts",
    "TemplateUnusable",
    "keep_edited",
    "own_commands",
    "regenerate",
    "render",
    "template_facts",
    "template_names",
    "with_own",
]
