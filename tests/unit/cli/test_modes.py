"""The guide's words beside an application: how they change what a command asks."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from orchestrator.cli import interview
from orchestrator.cli.desk import Desk
from orchestrator.cli.dtam import dtam
from orchestrator.cli.sql_servers import Search
from orchestrator.cli.words import without_slashes
from orchestrator.store.options import Options, write


@pytest.mark.covers("AM-01", "SQL-05")
@pytest.mark.parametrize(("words", "wide"), [(["/sql", "/nosqlsearch"], False), (["/sql"], True)])
def test_the_search_for_sql_servers_can_be_left_out(
    words: list[str], wide: bool, monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    asked: list[Search] = []
    monkeypatch.setattr("orchestrator.cli.sql_servers.show", lambda _desk, _screen, search: asked.append(search))
    said = [*without_slashes([*words, "discover"]), "--domain", "corp.example.com", "--server", "sql7"]
    done = CliRunner().invoke(dtam, said, env={"DTAM_HOME": str(tmp_path)}, obj=None)
    assert done.exit_code == 0, done.output
    assert [(one.wide, one.access is not None, one.hosts) for one in asked] == [(wide, wide, ("sql7",))]


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
