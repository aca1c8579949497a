"""``dtam step sql`` logs in with a ticket of the lab's domain, by its keytab or from a cache, through both ODBC drivers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from demo.stage import program
from tests.lab.sqlserver.process import DRIVER_18, FREETDS
from tests.lab.test_sql_login import PORT, Server, server

__all__ = ["server"]
KEYTAB = "/etc/lab/writer.keytab"


def step(server: Server, driver: str, keytab: bool, **environment: str) -> tuple[int, dict[str, Any]]:
    """Play ``ready`` on the lab's client; its exit code and what it says."""
    host = server.host
    access: dict[str, Any] = {"server": "BETA", "host": host.address, "full_name": host.fqdn, "port": PORT}
    access |= {"driver": driver, "trust_server_certificate": True}
    if keytab:
        access |= {"principal": "writer", "keytab": KEYTAB, "domain": host.fqdn.partition(".")[2]}
    words = [program("dtam"), "step", "sql", "ready", "--undo", "/var/lib/stepping/ready.json", "--json"]
    done = server.lab.host("client").run(words, env=environment, input=json.dumps({"access": access}), check=False)
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize("driver", [FREETDS, DRIVER_18], ids=["freetds", "driver-18"])
def test_a_step_logs_in_by_keytab_and_by_ticket_cache(server: Server, driver: str) -> None:
    server.lab.keytab("writer")
    code, said = step(server, driver, keytab=True)
    assert (code, said.get("so")) == (0, True), said
    code, said = step(server, driver, keytab=False, **server.lab.ticket("client", "writer"))
    assert (code, said.get("so")) == (0, True), said
    code, said = step(server, driver, keytab=False, KRB5CCNAME="FILE:/run/nobody")
    assert code != 0
    assert "kinit" in said["error"]["hint"]
