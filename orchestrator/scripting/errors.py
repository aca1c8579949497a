"""What can go wrong when steps become scripts."""

from __future__ import annotations

from orchestrator.errors import DtamError

OWN_BEGIN = "# >>> your own commands"
OWN_END = "# <<< your own commands"


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
