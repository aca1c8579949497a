"""The guide's words beside an application: with their meaning where it exists, else with what to use instead."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from orchestrator.cli.desk import Desk
from orchestrator.cli.dtam import dtam
from orchestrator.cli.words import without_slashes


@pytest.mark.covers("AM-01")
@pytest.mark.parametrize(
    ("word", "instead"), [("/nosqlsearch", "dtam hosts add names them"), ("/AltDNS", "failover.dns.security")]
)
def test_words_without_meaning_here_say_what_to_use_instead(word: str, instead: str, tmp_path) -> None:
    words = without_slashes(["/fileprint", word, "history"])
    done = CliRunner().invoke(dtam, words, env={"DTAM_HOME": str(tmp_path)}, obj=None)
    assert done.exit_code == 0, done.output
    assert instead in done.stderr
    assert instead not in done.stdout


@pytest.mark.covers("AM-01")
@pytest.mark.parametrize(("words", "meant"), [(["/fileprint", "/advanced"], True), (["/fileprint"], False)])
def test_advanced_is_known_to_setup(words: list[str], meant: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Desk] = []
    monkeypatch.setattr("orchestrator.cli.dtam.Desk.require_plugin", lambda desk, _application: found.append(desk))
    CliRunner().invoke(dtam, [*without_slashes(words), "hosts", "list", "--help"])
    assert [desk.advanced for desk in found] == [meant]
