"""What looking at many databases, and at many service names, costs dtam itself: processor seconds of its own, nobody is asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial

from orchestrator.databases.finding import FILTER, FoundSql, by_spn, spns, together
from orchestrator.databases.port import OdbcServers
from orchestrator.model.inventory import Inventory
from orchestrator.model.protections import Protection
from orchestrator.model.servers import Where
from orchestrator.model.sql import SqlAsk, SqlInstance
from orchestrator.model.sqlaccess import SqlAccess
from orchestrator.validate import fixes, validate
from plugins.sql.checks import CHECKS
from tests.benchmarks.measure import Comparison, Taken, compare
from tests.benchmarks.setting import Setting
from tests.lab.sqlserver.process import SqlServer, sql_server
from tests.unit.sql.sound_pair import NOW_S, inventory, protection

HOSTS_OF_AN_ACCOUNT = 20


def many_databases(count: int) -> tuple[Inventory, Protection]:
    """A pair of which each database is chosen by name and mapped, has its log-in, and is attached on the target: all is found, all is mended."""
    names = tuple(f"shop{number:05}" for number in range(count))
    place = "/var/opt/mssql/replica"
    chosen = [{"name": name, "target_data_path": place, "target_log_path": place} for name in names]
    attached = {name: {"files": [{"database": name, "name": name, "path": f"/old/{name}.mdf"}]} for name in names}
    logins = {name: {"sid": f"0x{number:032x}"} for number, name in enumerate(names, 2)}
    roots = [{"source_path": "/var/opt/mssql/data", "target_path": place}]
    case = {
        "mode": "database",
        "settings": {"failover": {"sql": {"databases": chosen}}, "connection": {"roots": roots}},
        "ours": {"logins": logins},
        "theirs": {"databases": attached},
    }
    return inventory(case, names), protection(case)


def validated(found: Inventory, held: Protection) -> int:
    """All checks, and the plan of what can be mended; how many steps it has."""
    return len(fixes(validate(CHECKS, found, held, NOW_S), held).steps)


class Entry:
    """An account of a directory, with its service names."""

    def __init__(self, number: int, names: list[str]) -> None:
        self.number, self.names = number, names

    def first(self, _word: str) -> str:
        """Its name."""
        return f"sql{self.number}"

    def text(self, _word: str) -> list[str]:
        """Its service names."""
        return self.names


class Accounts:
    """A directory in which service accounts hold ``count`` names of SQL Server, half of them by port, half by instance, and others'."""

    def __init__(self, count: int) -> None:
        hosts = [f"db{number:05}.lab.example" for number in range(max(1, count // 4))]
        whats = (":1433", "", ":SALES", ":50123")
        self.entries = [
            Entry(begin, [f"MSSQLSvc/{host}{what}" for host in some for what in whats] + [f"HOST/{some[0]}"])
            for begin in range(0, len(hosts), HOSTS_OF_AN_ACCOUNT)
            if (some := hosts[begin : begin + HOSTS_OF_AN_ACCOUNT])
        ]

    def facts(self) -> Accounts:
        """Its own."""
        return self

    base_dn = "DC=lab,DC=example"

    def find(self, _base: str, text: str, _words: tuple[str, ...]) -> Iterator[Entry]:
        """All of them."""
        assert text == FILTER
        yield from self.entries


def discovered(accounts: Accounts) -> list[FoundSql]:
    """By service names, together with what was known by hand."""
    known = [one for entry in accounts.entries[:5] for one in spns(entry.names, "")]
    return together(by_spn(accounts), known)  # type: ignore[arg-type]  as much of a directory as is asked


def databases(setting: Setting) -> list[Comparison]:
    """Validation at a quarter and at the whole of the size."""
    pairs = {f"{count} databases": many_databases(count) for count in (setting.databases // 4, setting.databases)}
    turns = {name: partial(_cost, partial(validated, *given)) for name, given in pairs.items()}
    return [compare("validation of a pair of SQL Servers, own processor seconds", "s", turns, setting.rounds)]


def service_names(setting: Setting) -> list[Comparison]:
    """Discovery at a quarter and at the whole of the size."""
    counts = (setting.service_names // 4, setting.service_names)
    turns = {f"{count} service names": partial(_cost, partial(discovered, Accounts(count))) for count in counts}
    return [compare("discovery by service names, own processor seconds", "s", turns, setting.rounds)]


def facts(setting: Setting) -> list[Comparison]:
    """Facts of a running instance over TDS, with what is asked of each database: those are few statements, however many there are."""
    counts = (setting.databases // 4, setting.databases)
    with setting.room("sql") as place, ExitStack() as stack:
        turns: dict[str, Callable[[], Taken]] = {}
        for count in counts:
            server = stack.enter_context(sql_server(place / str(count)))
            server.lab({"do": "many", "count": count, "prefix": "shop"})
            turns[f"{count} databases"] = partial(_cost, partial(asked, server))
        return [compare("facts of an instance over TDS, own processor seconds", "s", turns, setting.rounds)]


def asked(server: SqlServer) -> SqlInstance:
    """All that a server says, features and users of each database included."""
    access = SqlAccess("alpha", server.address, port=server.port, user="sa", trust_server_certificate=True)
    port = OdbcServers(lambda _where, _name: access, lambda *_: server.sa_password, None)
    plain = port.facts(Where.SOURCE, "MSSQLSERVER")
    names = tuple(one.name for one in plain.databases if not one.system)
    found = port.facts(Where.SOURCE, "MSSQLSERVER", SqlAsk(databases=names))
    assert not found.silence, found.silence
    return found


def _cost(deed: Callable[[], object]) -> Taken:
    began = time.process_time()
    deed()
    spent_s = time.process_time() - began
    return Taken(spent_s, spent_s)
