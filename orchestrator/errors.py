"""The base of every error that a user may see.

An error class is a message template, an exit code and a hint. The template says what, where and why; the hint says what to
run next. A leaf: it imports nothing of the house, so that the engine and the control plane share it (decision 0001).
"""

from __future__ import annotations

from typing import ClassVar


class DtamError(Exception):
    """A mistake or a failure that is explained in one line.

    Subclasses set ``template`` (and ``hint``) as format strings over the keyword facts given to the constructor, and an
    ``exit_code`` that no other class uses; a test walks all subclasses and holds them to it.
    """

    template: ClassVar[str] = "something went wrong"
    exit_code: ClassVar[int] = 90
    hint_template: ClassVar[str] = ""

    def __init__(self, **facts: object) -> None:
        self.facts = facts
        super().__init__(self.template.format(**facts))

    @property
    def hint(self) -> str:
        """What to run or to look at next; empty when nothing sensible can be said."""
        return self.hint_template.format(**self.facts)
