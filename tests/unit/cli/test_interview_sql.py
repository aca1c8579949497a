"""The questions about SQL Server: each answer becomes a setting, and what was given is not asked again."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator import configure
from orchestrator.cli import interview_sql
from orchestrator.cli.interview_sql import TARGET_PASSWORD
from orchestrator.cli.settings_options import Given, given
from orchestrator.model.servers import EngineAddress, Server, ServerName, Where
from orchestrator.model.sql import BrowserEntry, SqlBrowser, SqlDatabase, SqlFile, SqlInstance
from orchestrator.model.sqlport import SqlTest
from orchestrator.store.errors import CredentialUnusable

SERVERS = {
    name: Server(ServerName(name), (address,), EngineAddress(address))
    for name, address in (("ALPHA", "10.0.0.1"), ("BETA", "10.0.0.2"))
}
FOUND = SqlInstance(
    "MSSQLSERVER",
    machine="ALPHA",
    version="15.0.4322.2",
    databases=(
        SqlDatabase("master", 1),
        SqlDatabase("tempdb", 2),
        SqlDatabase("Sales", 5, files=(SqlFile("Sales", "s", "/d/s.mdf", bytes=8_000_000),)),
        SqlDatabase("Ops", 6),
    ),
)


class Instances:
    """Both instances: ``refuses`` is what the first tests say."""

    def __init__(self, names: tuple[str, ...], refuses: list[str]) -> None:
        self._names = names
        self._refuses = refuses

    def test(self, where: Where, _instance: str) -> SqlTest:
        return SqlTest(False, self._refuses.pop()) if self._refuses else SqlTest(True, f"{where} answers")

    def browse(self, _where: Where) -> SqlBrowser:
        return SqlBrowser(tuple(BrowserEntry("ALPHA", name) for name in self._names))

    def facts(self, _where: Where, _instance: str) -> SqlInstance:
        return FOUND


class Passwords:
    def __init__(self) -> None:
        self.kept: list[tuple[str, str, str]] = []

    def password(self, account: str, server: str) -> str:
        raise CredentialUnusable(account=account, why=f"none for {server}", advice="")

    def remember(self, account: str, server: str, password: str) -> None:
        self.kept.append((account, server, password))


class Person:
    """Answers by how a question begins; what is not listed is answered by its default. ``asked`` are all questions."""

    def __init__(self, answers: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
        self._answers = answers
        self.asked: list[str] = []
        monkeypatch.setattr(interview_sql.click, "prompt", self._prompt)
        monkeypatch.setattr(interview_sql.click, "confirm", self._prompt)
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)

    def _prompt(self, question: str, default: Any = None, **_more: Any) -> Any:
        self.asked.append(question)
        return next((one for begins, one in self._answers.items() if question.startswith(begins)), default)


def asked(
    person: Person,
    sets: tuple[str, ...] = (),
    *,
    names: tuple[str, ...] = (),
    refuses: tuple[str, ...] = (),
    advanced: bool = False,
) -> tuple[Given, Passwords]:
    assert person.asked == []
    words = given(None, {"source": "ALPHA", "target": "BETA", "client_name": "sql.corp.example.com"}, sets=sets)
    passwords = Passwords()
    servers = Instances(names, list(refuses))
    pipeline = SimpleNamespace(
        known=SERVERS.__getitem__, credentials=passwords, reach=SimpleNamespace(sql=lambda *_: servers)
    )
    return interview_sql.complete(pipeline, words, advanced=advanced), passwords  # type: ignore[arg-type]


@pytest.mark.covers("SQL-01")
def test_a_whole_instance_needs_few_answers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    person = Person({"Databases of MSSQLSERVER": "ops, nonesuch"}, monkeypatch)
    words, passwords = asked(person)
    assert words.value("failover.sql.mode") == "instance"
    assert words.value("failover.sql.databases") == [{"instance": "MSSQLSERVER", "name": "Ops", "protect": False}]
    assert words.value("failover.sql.login.user") is None
    assert passwords.kept == []
    shown = capsys.readouterr().err
    assert "master  (required)" in shown
    assert "Sales  (8 MB, online)" in shown
    assert "there is no database nonesuch" in shown
    assert not any(one.startswith("Instances") for one in person.asked)


@pytest.mark.covers("SQL-02", "SQL-05")
def test_databases_get_their_places_and_an_account_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {
        "Account of SQL Server": "dtam",
        "Password of dtam": "s3cret",
        "Trust whatever": True,
        "Instances to protect": "SALES",
        "Protect whole": "database",
        "Do any of them": True,
        "Folder for Sales on": "/data/sales",
        "Folder for its log (empty: /data/sales": "/log/sales",
    }
    person = Person(answers, monkeypatch)
    refuses = ("the certificate of SQL Server ALPHA is not trusted",)
    words, passwords = asked(person, names=("MSSQLSERVER", "SALES"), refuses=refuses, advanced=True)
    login = configure.value_at(configure.layered(words.layers).values, "failover.sql.login")
    assert login == {"user": "dtam", "target_password_file": TARGET_PASSWORD, "trust_server_certificate": True}
    assert passwords.kept == [("dtam", "ALPHA", "s3cret"), ("dtam", "BETA", "s3cret")]
    assert words.value("failover.sql.instances") == [{"name": "SALES"}]
    databases = words.value("failover.sql.databases")
    assert {one["name"]: one.get("target_data_path") for one in databases} == {"Sales": "/data/sales", "Ops": None}
    assert databases[0]["target_log_path"] == "/log/sales"
    assert "s3cret" not in str(words.layers)


def test_what_was_given_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    person = Person({}, monkeypatch)
    sets = (
        "failover.sql.mode=instance",
        "failover.sql.databases=[]",
        "failover.sql.login.user=sa",
        "failover.sql.instances=[{name: X}]",
    )
    asked(person, sets)
    assert person.asked == []


def test_without_a_terminal_everything_has_a_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert tmp_path
    person = Person({}, monkeypatch)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    words, _ = asked(person)
    assert words.value("failover.sql") == {}
    assert person.asked == []
