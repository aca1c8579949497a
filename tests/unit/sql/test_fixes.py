"""What each check mends, over instances that are values: before the deed it is not so, afterwards the check passes, an undo leaves what was.

The same is asked of running instances by tests/conformance/test_sql_planted.py; here are both platforms.
"""

# ruff: noqa: ARG002 - the port's signatures

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from orchestrator.model.findings import Severity
from orchestrator.model.inventory import Inventory, PathFacts
from orchestrator.model.servers import Where
from orchestrator.model.sql import USUAL, SqlAsk, SqlBrowser, SqlConfiguration, SqlInstance
from orchestrator.model.sqlport import SqlLook, SqlTest
from orchestrator.model.steps import Action
from orchestrator.sdk import verbs, verbs_sql  # noqa: F401  importing the second gives its verbs their meaning
from orchestrator.sdk.context import Ports
from orchestrator.validate import fixes, validate
from plugins.sql.checks import CHECKS
from tests.unit.sql.sound_pair import NOW_S, inventory, protection

CASES = [
    case
    for case in yaml.safe_load((Path(__file__).parents[2] / "cases/sql/checks.yaml").read_text())
    if "do-sql" in case.get("fix", [])
]
replace = msgspec.structs.replace


class ValuedServers:
    """The port ``SqlServers`` over the instances of an inventory, which it changes as the deeds would."""

    def __init__(self, found: Inventory) -> None:
        self.found = found

    def facts(self, where: Where, instance: str, ask: SqlAsk = USUAL) -> SqlInstance:
        side = self.found.on(where).sql
        found = side.instance(instance) if side else None
        assert found is not None
        return found

    def browse(self, where: Where) -> SqlBrowser:
        raise NotImplementedError

    def test(self, where: Where, instance: str) -> SqlTest:
        raise NotImplementedError

    def kept_at_s(self, protection: str, instance: str) -> float | None:
        raise NotImplementedError

    def _side(self, where: Where, side: Any) -> None:
        self.found = replace(self.found, **{str(where): side})

    def look(self, where: Where, deed: str, document: Mapping[str, Any]) -> SqlLook:
        wanted = self._wanted(where, deed, document)
        before = msgspec.to_builtins(self.found.on(where))
        return SqlLook(done=wanted == self.found.on(where), says=deed, found={"before": before})

    def do(self, where: Where, deed: str, document: Mapping[str, Any], found: Mapping[str, Any]) -> None:
        self._side(where, self._wanted(where, deed, document))

    def undo(self, where: Where, deed: str, document: Mapping[str, Any], found: Mapping[str, Any]) -> None:
        self._side(where, msgspec.convert(found["before"], type(self.found.on(where))))

    def _wanted(self, where: Where, deed: str, document: Mapping[str, Any]) -> Any:
        """The side as the deed leaves it."""
        side, now = self.found.on(where), self.facts(where, document["instance"])
        if deed == "make-directory":
            there = PathFacts(document["path"], True, "directory", owner="mssql")
            return replace(side, paths=tuple(there if one.path == there.path else one for one in side.paths))
        changed = {
            "detach": self._detached,
            "copy-logins": self._carried,
            "configuration": self._configured,
            "protocol": lambda at, now, document: {"protocols": tuple(sorted({*now.protocols, document["protocol"]}))},
            "login-mode": lambda at, now, document: {"integrated_only": not document["mixed"]},
        }[deed](where, now, document)
        assert side.sql is not None
        instances = tuple(replace(one, **changed) if one.name == now.name else one for one in side.sql.instances)
        return replace(side, sql=replace(side.sql, instances=instances))

    def _detached(self, _where: Where, now: SqlInstance, document: Mapping[str, Any]) -> dict[str, Any]:
        gone = {one["name"] for one in document["databases"]}
        return {"databases": tuple(one for one in now.databases if one.name not in gone)}

    def _carried(self, where: Where, now: SqlInstance, document: Mapping[str, Any]) -> dict[str, Any]:
        there = {one.name for one in now.logins}
        other = self.facts(where.other, now.name)
        made = [one for one in other.logins if one.name in document["names"] and one.name not in there]
        return {"logins": (*now.logins, *made)}

    def _configured(self, _where: Where, now: SqlInstance, document: Mapping[str, Any]) -> dict[str, Any]:
        options = document["options"]
        return {
            "configurations": tuple(
                SqlConfiguration(one.name, options[one.name], options[one.name]) if one.name in options else one
                for one in now.configurations
            )
        }


def ports(servers: ValuedServers) -> Ports:
    return Ports({}, None, None, lambda: NOW_S, sql=servers)  # type: ignore[arg-type]  nothing else is asked


@pytest.mark.covers("AM-12")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"].replace(" ", "-"))
def test_what_is_mended_is_so_and_goes_back(case: Mapping[str, Any]) -> None:
    held, servers = protection(case), ValuedServers(inventory(case))
    before = servers.found
    plan = fixes(validate(CHECKS, servers.found, held, NOW_S), held, frozenset({case["check"]}))
    assert [step.do.verb for step in plan.steps] == case["fix"]
    done = []
    for step in plan.steps:
        seen = verbs.see(step.look, ports(servers))
        assert not seen.done
        verbs.perform(step.do, ports(servers), seen.found)
        assert verbs.see(step.look, ports(servers)).done
        done.append((step, seen))
    again = [one for one in validate(CHECKS, servers.found, held, NOW_S).findings if one.check == case["check"]]
    assert [one.severity for one in again] == [Severity.PASSED]
    for step, seen in reversed(done):
        if isinstance(step.undo, Action):
            verbs.perform(step.undo, ports(servers), seen.found)
    stays = any(not isinstance(step.undo, Action) for step, _ in done)
    assert stays or servers.found == before
