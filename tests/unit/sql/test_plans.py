"""What is protected of an instance: its directories, which files of them travel, its services, and whose service names move."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from orchestrator.engine.mirror.rules import Rule, RuleSet
from orchestrator.model.conditions import Stage
from orchestrator.model.inventory import Inventory, PathFacts
from orchestrator.model.settings import Root
from orchestrator.model.settings_sql import DatabaseSelection, InstanceSettings, SqlSettings
from orchestrator.model.sql import SqlDatabase, SqlFile, SqlInstance, SqlService, SqlSide
from orchestrator.model.windows import WindowsService
from orchestrator.sdk.application import Planning
from plugins.sql import discover, naming, roots, rules, services, told
from tests.faults.sql_rehearsal import SqlPair


def database(name: str, *paths: str) -> SqlDatabase:
    kinds = ("rows", "log", "filestream")
    return SqlDatabase(name, files=tuple(SqlFile(name, str(at), path, kinds[at]) for at, path in enumerate(paths)))


LINUX = SqlInstance(
    machine="ALPHA",
    server_name="ALPHA",
    version="15.0.1.2",
    host_platform="Linux",
    databases=(
        database("master", "/var/opt/mssql/data/master.mdf", "/var/opt/mssql/data/mastlog.ldf"),
        database("tempdb", "/var/opt/mssql/data/tempdb.mdf", "/var/opt/mssql/data/templog.ldf"),
        database("sales", "/data/sales/s[1].mdf", "/log/sales.ldf", "/data/blobs"),
        database("old", "/var/opt/mssql/data/old.mdf", "/var/opt/mssql/data/old.ldf"),
    ),
)


def planning(of: SqlPair, instance: SqlInstance, root: dict[str, Any], **sql: Any) -> Planning:
    held = of.protection(Stage.CONFIGURED, 0)
    whole = of.settings(**sql)
    connection = whole.connection.model_copy(update={"roots": (Root.model_validate(root),)})
    held = msgspec.structs.replace(held, settings=whole.model_copy(update={"connection": connection}))
    empty = of.inventory(of.fresh())
    source = msgspec.structs.replace(empty.source, sql=SqlSide((instance,)))
    return Planning(held, msgspec.structs.replace(empty, source=source), 1, by="test")


def selects(given: Planning, *paths: str) -> list[bool]:
    (root,) = given.protection.settings.connection.roots
    chosen = RuleSet(Rule(**one) for one in rules.rules_of(given, root))
    base = root.source_path.rstrip("/") + "/"
    return [chosen.selects(path.removeprefix(base).encode()) for path in paths]


@pytest.mark.covers("SQL-01")
def test_a_whole_instance_is_its_tree_and_every_directory_of_its_files() -> None:
    found = roots.of_instances(SqlSettings(), [LINUX])
    assert [one["source_path"] for one in found] == ["/data", "/log", "/var/opt/mssql"]
    outside = msgspec.structs.replace(LINUX, startup_parameters=("-d/x", "-e/srv/errors/errorlog"))
    assert {"source_path": "/srv/errors"} in roots.of_instances(SqlSettings(), [outside])
    beside_windows = SqlInstance(
        databases=(database("master", r"E:\SQL\DATA\master.mdf"),), startup_parameters=(r"-eC:\SQL\Log\ERRORLOG",)
    )
    assert roots.of_instances(SqlSettings(), [beside_windows]) == [{"source_path": r"E:\SQL"}]


@pytest.mark.covers("SQL-01")
@pytest.mark.parametrize(
    ("master", "tree"),
    [
        (r"E:\MSSQL15.MSSQLSERVER\MSSQL\DATA\master.mdf", r"E:\MSSQL15.MSSQLSERVER\MSSQL"),
        (r"E:\DATA\master.mdf", r"E:\DATA"),
        (r"E:\sql\system\master.mdf", r"E:\sql\system"),
        ("/var/opt/mssql/data/master.mdf", "/var/opt/mssql"),
    ],
)
def test_the_tree_is_above_the_data_directory_but_never_a_whole_volume(master: str, tree: str) -> None:
    assert roots.tree(SqlInstance(databases=(database("master", master),))) == tree


@pytest.mark.covers("SQL-01")
def test_of_a_tree_travels_all_but_programs_what_is_the_servers_own_tempdb_and_what_is_left_out() -> None:
    left_out = [{"name": "old", "protect": False}]
    given = planning(SqlPair("linux", "instance"), LINUX, {"source_path": "/var/opt/mssql"}, databases=left_out)
    base = "/var/opt/mssql/"
    inside = ("data/master.mdf", "log/errorlog", "secrets/machine-key", "data/new.mdf", ".system/x")
    outside = (
        "Binn/sqlservr",
        "mssql.conf",
        "secrets/mssql.keytab",
        "data/tempdb.mdf",
        "data/templog.ldf",
        "data/old.mdf",
    )
    assert selects(given, *(base + one for one in inside)) == [True] * len(inside)
    assert selects(given, *(base + one for one in outside)) == [False] * len(outside)
    with_tempdb = planning(SqlPair("linux", "instance"), LINUX, {"source_path": "/var/opt/mssql"}, tempdb=True)
    assert selects(with_tempdb, base + "data/tempdb.mdf") == [True]


@pytest.mark.covers("SQL-02")
def test_of_databases_alone_travel_their_files_and_nothing_beside_them() -> None:
    chosen = [{"name": "sales"}]
    given = planning(SqlPair("linux", "database"), LINUX, {"source_path": "/data"}, databases=chosen)
    paths = ("/data/sales/s[1].mdf", "/data/sales/s1.mdf", "/data/blobs/a/b", "/data/other.mdf")
    assert selects(given, *paths) == [True, False, True, False]


@pytest.mark.covers("SQL-02")
def test_a_directory_that_holds_nothing_else_travels_whole() -> None:
    chosen = [{"name": "sales"}]
    given = planning(SqlPair("linux", "database"), LINUX, {"source_path": "/log"}, databases=chosen)
    for entries, whole in ((1, True), (2, False)):
        path = PathFacts("/log", True, "directory", 1, 1, "ext4", entries)
        source = msgspec.structs.replace(given.inventory.source, paths=(path,))
        found: Inventory = msgspec.structs.replace(given.inventory, source=source)
        assert selects(msgspec.structs.replace(given, inventory=found), "/log/new.ldf") == [whole]


@pytest.mark.covers("SQL-02")
def test_directories_of_databases_lie_where_people_say_on_the_target() -> None:
    said = (DatabaseSelection(name="sales", target_data_path="/srv/a", target_log_path="/srv/b"),)
    sql = SqlSettings(mode="database", databases=said)
    found = roots.of_databases(sql, [LINUX])
    assert {one["source_path"]: one["target_path"] for one in found} == {
        "/data/blobs": "/srv/a/blobs",
        "/data/sales": "/srv/a",
        "/log": "/srv/b",
    }
    assert roots.split_folders(sql, [LINUX]) == []
    beside = msgspec.structs.replace(
        LINUX, databases=(*LINUX.databases, database("more", "/data/sales/more.mdf", "/log/more.ldf"))
    )
    both = sql.model_copy(update={"databases": (*said, DatabaseSelection(name="more"))})
    assert roots.split_folders(both, [beside]) == ["/data/sales", "/log"]


@pytest.mark.covers("SQL-02", "SQL-03")
def test_a_directory_of_the_target_s_own_instance_is_not_shared_with_it() -> None:
    theirs = SqlInstance(databases=(database("master", "/var/opt/mssql/data/master.mdf"),))
    given = [
        {"source_path": "/var/opt/mssql/data", "target_path": None},
        {"source_path": "/srv/x", "target_path": None},
    ]
    assert roots.apart(given, [theirs], "alpha") == [
        {"source_path": "/var/opt/mssql/data", "target_path": "/var/opt/mssql/alpha/data"},
        given[1],
    ]
    said = [{"source_path": "/var/opt/mssql/data", "target_path": "/data"}]
    assert roots.apart(said, [theirs], "alpha") == said


@pytest.mark.covers("AM-07")
def test_services_of_each_instance_in_order_as_far_as_they_are_in_use() -> None:
    installed = [
        WindowsService(name, start_type=start, state=state)
        for name, start, state in (
            ("MSSQLSERVER", "automatic", "running"),
            ("SQLSERVERAGENT", "automatic", "running"),
            ("MSSQLLaunchpad", "automatic", "stopped"),
            ("SQLBrowser", "automatic", "running"),
            ("MSSQL$SALES", "automatic", "stopped"),
            ("SQLAgent$SALES", "disabled", "stopped"),
            ("MSSQLFDLauncher$SALES", "manual", "stopped"),
        )
    ]
    instances = (InstanceSettings(), InstanceSettings(name="SALES"))
    found = services.on_windows(instances, installed, whole=True)
    assert [(one["name"], one["unit"], one["required"]) for one in found] == [
        ("mssqlserver", "MSSQLSERVER", True),
        ("sqlserveragent", "SQLSERVERAGENT", False),
        ("mssql-sales", "MSSQL$SALES", True),
        ("mssqlfdlauncher-sales", "MSSQLFDLauncher$SALES", False),
    ]
    assert all(one["must_be_stopped_on_target"] for one in found)
    assert not any(one["must_be_stopped_on_target"] for one in services.on_windows(instances, installed, whole=False))


def test_the_set_is_named_as_the_guide_names_it() -> None:
    proposed = discover.defaults(SqlPair("linux", "instance").pair(), None, {})
    assert proposed["advanced"]["replication_set"] == "sqldag01_alpha_beta"


@pytest.mark.covers("SQL-06")
@pytest.mark.parametrize(
    ("ours", "theirs", "moved"),
    [
        ("LAB\\sql-a", "LAB\\sql-b", ("sql-a", "sql-b")),
        ("LAB\\sql", "lab\\SQL", None),
        ("NT Service\\MSSQLSERVER", "NT Service\\MSSQLSERVER", ("ALPHA$", "BETA$")),
        ("sql@lab.example", "LocalSystem", ("sql", "BETA$")),
    ],
)
def test_service_names_move_between_the_accounts_that_run_the_engines(
    ours: str, theirs: str, moved: tuple[str, str] | None
) -> None:
    of = SqlPair("windows", "instance")
    found = of.inventory(of.fresh())
    sides = {}
    for side, account in (("source", ours), ("target", theirs)):
        old = getattr(found, side)
        unit = WindowsService("MSSQLSERVER", account=account)
        sides[side] = msgspec.structs.replace(old, windows=msgspec.structs.replace(old.windows, services=(unit,)))
    given = Planning(of.protection(), msgspec.structs.replace(found, **sides), 1, by="test")
    every = naming.moved(given)
    assert [(one.source, one.target) for one in every] == ([moved] if moved else [])
    if every:
        assert every[0].spns == (
            "MSSQLSvc/sales.lab.example",
            "MSSQLSvc/sales.lab.example:1433",
        )


def test_of_a_named_instance_its_name_and_both_ports_move() -> None:
    of = SqlPair("windows", "instance")
    named = [{"name": "PROD", "source_port": 50000, "target_port": 50001}]
    held = msgspec.structs.replace(of.protection(), settings=of.settings(instances=named))
    (moved,) = naming.moved(Planning(held, of.inventory(of.fresh()), 1, by="test"))
    assert moved.spns == tuple(f"MSSQLSvc/sales.lab.example:{one}" for one in ("PROD", "50000", "50001"))


def test_what_was_told_survives_a_source_that_is_gone() -> None:
    of = SqlPair("linux", "database")
    given = Planning(of.protection(Stage.ENABLED, 1), of.inventory(of.fresh()), 1, by="test")
    known = told.documents(given)
    gone = msgspec.structs.replace(given.inventory.source, unreachable="no route", sql=None)
    target = msgspec.structs.replace(given.inventory.target, takeover=msgspec.json.decode(msgspec.json.encode(known)))
    without = msgspec.structs.replace(
        given, inventory=msgspec.structs.replace(given.inventory, source=gone, target=target)
    )
    assert told.instances(without) == told.instances(given)
    assert told.documents(without) == known
    assert [one["path"] for one in known["sql"]["databases"][0]["files"]] == [
        "/var/opt/mssql/alpha/sales.mdf",
        "/var/opt/mssql/alpha/sales.mdf-wal",
    ]


def test_the_engine_s_account_is_its_services() -> None:
    found = SqlInstance(
        services=(SqlService("SQL Server Agent (X)", "LAB\\agent"), SqlService("SQL Server (MSSQLSERVER)", "LAB\\sql"))
    )
    assert told.engine_account(found) == "LAB\\sql"
