"""A tool of somebody else's, asked and told: what it may answer, and what becomes of an answer that is none."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from orchestrator.model.outcomes import GiveUp, TryAgain
from orchestrator.model.ports import Link
from orchestrator.model.servers import Where
from orchestrator.model.settings import ConnectionTab
from orchestrator.replication.errors import NotOffered
from orchestrator.replication.external import Ended, ExternalReplication, run_here
from tests.conformance.ways import pair_of

LINK = Link("p", "files", Where.SOURCE, "/srv/files", "/srv/replica", epoch=4)


class Tool:
    """Gives what it is told to give, and remembers what it was asked."""

    def __init__(self, answer: Any, code: int = 0) -> None:
        self.answer, self.code, self.asked = answer, code, []

    def __call__(self, command: Sequence[str], _timeout_s: float) -> Ended:
        self.asked.append(list(command))
        text = self.answer if isinstance(self.answer, str) else json.dumps(self.answer)
        return Ended(self.code, text, "first line\nno such volume")


def replication(tool: Tool, **options: Any) -> ExternalReplication:
    given = {"ask": ["/bin/ask", "{direction}", "{source}->{target}", "{protection}", "{epoch}"]} | options
    tab = ConnectionTab.model_validate({"replication": "external", "external": given})
    return ExternalReplication(pair_of(), tab, tool)


def test_words_in_braces_are_filled_in_and_nothing_goes_through_a_shell() -> None:
    tool = Tool({"in_step": True, "age_s": 1})
    replication(tool).status(LINK)
    replication(tool).status(msgspec.structs.replace(LINK, origin=Where.TARGET))
    assert tool.asked[0] == ["/bin/ask", "out", "alpha->beta", "p", "4"]
    assert tool.asked[1][1] == "back"


@pytest.mark.covers("AM-38")
@pytest.mark.parametrize(
    ("answer", "in_step"),
    [
        ({"in_step": True, "age_s": 5}, True),
        ({"in_step": True, "age_s": 61}, False),
        ({"in_step": False, "age_s": 1}, False),
        ({"in_step": True, "age_s": 1, "receiving": False}, False),
        ({"in_step": True, "age_s": 1, "paused": True}, False),
    ],
)
def test_what_is_old_or_does_not_follow_is_not_in_step(answer: dict[str, Any], in_step: bool) -> None:
    status = replication(Tool(answer)).status(LINK)
    assert status is not None
    assert status.in_step is in_step
    assert status.age_s == answer["age_s"]


@pytest.mark.parametrize("answer", ["", "in step", "{}", '{"in_step": true}', {"in_step": True, "age_s": -1}])
def test_an_answer_that_is_none_is_an_error(answer: Any) -> None:
    with pytest.raises(GiveUp, match="ask"):
        replication(Tool(answer)).status(LINK)


def test_a_command_that_fails_is_asked_again_and_its_last_line_told() -> None:
    with pytest.raises(TryAgain, match="no such volume"):
        replication(Tool({"in_step": True, "age_s": 1}, code=3)).status(LINK)


def test_a_deed_that_fails_is_told() -> None:
    with pytest.raises(GiveUp, match=r"/bin/split ended with 3: no such volume"):
        replication(Tool({}, code=3), promote=["/bin/split"]).promote(LINK, 5)


def test_what_no_command_was_given_for_is_not_offered() -> None:
    for call in ("promote", "reverse"):
        with pytest.raises(NotOffered):
            getattr(replication(Tool({})), call)(LINK, 5)


def test_programs_that_are_not_there_or_never_end() -> None:
    with pytest.raises(GiveUp, match="cannot be run"):
        run_here(["/no/such/program"], 5)
    with pytest.raises(TryAgain, match="did not answer within"):
        run_here(["sleep", "60"], 0.05)
