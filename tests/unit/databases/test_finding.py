"""Servers that service names and SQL Browser tell of, put together; ten thousand of them in one pass."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchestrator.databases.finding import FILTER, FoundSql, by_browser, by_spn, spns, together
from orchestrator.directory.port import DomainFacts, Entry
from orchestrator.model.sql import BrowserEntry, SqlBrowser


class Accounts:
    """A domain with these accounts; entries are given out one by one, as pages come."""

    def __init__(self, accounts: dict[str, list[str]]) -> None:
        self._accounts = accounts
        self.asked: list[str] = []

    def facts(self) -> DomainFacts:
        return DomainFacts("lab.example", "LAB", "lab.example", "DC=lab", "CN=c", "CN=s", "dc1", "site", 0, 0)

    def find(self, _base: str, filter_: str, _attributes: tuple[str, ...]) -> Iterator[Entry]:
        self.asked.append(filter_)
        for name, values in self._accounts.items():
            told = {"sAMAccountName": (name.encode(),), "servicePrincipalName": tuple(v.encode() for v in values)}
            yield Entry(f"CN={name}", told)


@pytest.mark.covers("SQL-05")
def test_service_names_tell_hosts_instances_and_accounts() -> None:
    domain = Accounts(
        {
            "svc": ["MSSQLSvc/alpha.lab.example:1433", "MSSQLSvc/alpha.lab.example", "HOST/alpha"],
            "BETA$": ["MSSQLSvc/BETA.lab.example:SALES", "mssqlsvc/beta.lab.example:57137", "MSSQLSvc/"],
        }
    )
    found = by_spn(domain)  # type: ignore[arg-type]  what is asked of it is all here
    assert found == [
        FoundSql("alpha.lab.example", ("MSSQLSERVER",), (1433,), ("svc",), ("spn",)),
        FoundSql("BETA.lab.example", ("SALES",), (57137,), ("BETA$",), ("spn",)),
    ]
    assert domain.asked == [FILTER]


def test_other_service_names_tell_nothing() -> None:
    assert list(spns(["HTTP/alpha", "MSSQLSvcX/alpha", "MSSQLSvc/"], "x")) == []


@pytest.mark.covers("SQL-05")
def test_what_is_known_of_a_host_comes_together_by_its_short_name() -> None:
    entry = SqlBrowser((BrowserEntry("ALPHA", "Sales", port=57137),))
    browsed = by_browser("ALPHA", ask=lambda _host: entry)
    silent = by_browser("gamma", "hand", ask=lambda _host: SqlBrowser(silence="no answer"))
    found = together(
        [FoundSql("alpha.lab.example", ("MSSQLSERVER",), (1433,), ("svc",), ("spn",))], [browsed], [silent]
    )
    assert found == [
        FoundSql("alpha.lab.example", ("MSSQLSERVER", "SALES"), (1433, 57137), ("svc",), ("spn", "browser")),
        FoundSql("gamma", by=("hand",), silence="no answer"),
    ]
    assert FoundSql("10.0.0.7").short_name == "10.0.0.7"


def test_ten_thousand_are_one_pass() -> None:
    accounts = {f"S{i}$": [f"MSSQLSvc/s{i}.lab.example:1433", f"MSSQLSvc/s{i}.lab.example"] for i in range(10_000)}
    domain = Accounts(accounts)
    assert len(by_spn(domain)) == 10_000  # type: ignore[arg-type]
    assert len(domain.asked) == 1
