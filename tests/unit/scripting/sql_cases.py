"""Segments of SQL Server's deeds in a script, with names that must not become code."""

from __future__ import annotations

from typing import Any

from tests.lab.scripts import step

ACCESS = {"server": "beta", "host": "10.0.0.2", "port": 1433, "principal": "BETA$", "keytab": "/etc/krb5.keytab"}
TAKING = ("ready", "logins", "attach", "owners-and-options", "default-databases", "orphans", "server-name", "detach")


def _deed(name, instance="MSSQLSERVER", **more: Any):
    document = {"protection": "sql", "instance": instance, "access": ACCESS, "databases": ["it's $(x) `y`"]}
    variables = {"deed": name, "instance": instance, "document": document} | more
    return step(f"sql-{name}", f"sql/{name.replace('-', '_')}", f"{name} on beta", **variables)


def _asked(instance):
    return {"instance": instance, "database": "it's", "access": ACCESS | {"full_name": "alpha.lab.example"}}


CASE = (
    "post_failover",
    [
        _deed("keep-logins", wait_s=60.0),
        *(_deed(name, "A$B" if name == "attach" else "MSSQLSERVER") for name in TAKING),
        step("restart", "sql/restart", "restart mssql-server", service={"name": "mssql-server"}),
        step(
            "clients-served",
            "sql/ask_as_client",
            "see that clients are served",
            name="alpha.lab.example",
            documents=[_asked("MSSQLSERVER"), _asked("SALES")],
            dns={"servers": ["10.0.0.5"]},
            timeout_s=15.0,
            within_s=120.0,
        ),
    ],
)
