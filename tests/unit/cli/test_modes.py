"""The guide's words beside an application: with their meaning where it exists, else with what to use instead."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from orchestrator.cli import interview
from orchestrator.cli.desk import Desk
from orchestrator.cli.dtam import dtam
from orchestrator.cli.words import without_slashes
from orchestrator.store.options import Options, write


@pytest.mark.covers("AM-01")
@pytest.mark.parametrize(("word", "instead"), [("/nosqlsearch", "dtam hosts add names them")])
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


@pytest.mark.covers("AM-01", "AM-17")
@pytest.mark.parametrize(
    ("words", "option", "meant"), [(["/AltDNS"], False, True), ([], True, True), ([], False, False)]
)
def test_a_dns_of_another_make_is_said_by_a_word_or_an_option(
    words: list[str], option: bool, meant: bool, monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    write(tmp_path, Options(alternative_dns=option, advanced=option))
    found: list[Desk] = []
    monkeypatch.setattr("orchestrator.cli.dtam.Desk.require_plugin", lambda desk, _application: found.append(desk))
    arguments = [*without_slashes(["/fileprint", *words]), "hosts", "list", "--help"]
    CliRunner().invoke(dtam, arguments, env={"DTAM_HOME": str(tmp_path)})
    assert [(desk.alternative_dns, desk.advanced) for desk in found] == [(meant, option)]


@pytest.mark.covers("AM-01")
def test_a_dns_of_another_make_is_asked_for_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {
        "DNS servers that hold": "10.0.0.53",
        "File with the TSIG key": "/etc/dtam/dns.key",
        "Where the same": "/k",
    }
    said = lambda question, **_: next(answer for begin, answer in answers.items() if question.startswith(begin))  # noqa: E731
    monkeypatch.setattr("orchestrator.cli.interview.click.prompt", said)
    monkeypatch.setattr("orchestrator.cli.interview.ask", said)
    assert ("failover.dns.security", "tsig") in list(interview._dns(frozenset({"altdns"})))
    assert "failover.dns.security" not in dict(interview._dns(frozenset()))
