"""The scripts of SQL Server are generated, viewed and edited; what people wrote survives, and is never lost without a word."""

from __future__ import annotations

import msgspec
import pytest

from orchestrator.delivering import HostScript, rendered, with_own_part
from orchestrator.model.servers import Where
from orchestrator.sdk.application import Planning
from plugins.sql.application import SqlServer
from tests.unit.sql import sound_pair

OWN = "logger 'sales is served by beta'\n"


def planning(mode: str = "database", own: str = "") -> Planning:
    case = {
        "platform": "linux",
        "stage": "enabled",
        "mode": mode,
        "settings": {"advanced": {"scripts": {"post_failover": own}}},
    }
    return Planning(sound_pair.protection(case), sound_pair.inventory(case), 1)


def scripts(wanted: Planning, *lying: HostScript) -> dict[str, HostScript]:
    return {one.name: one for one in rendered(SqlServer(), wanted, lying)}


@pytest.mark.covers("AM-09")
def test_the_deeds_of_each_mode_stand_in_the_targets_script() -> None:
    databases, instances = (scripts(planning(mode))["post_failover"] for mode in ("database", "instance"))
    assert databases.where is Where.TARGET
    assert {"sql-logins", "sql-attach", "sql-owners-and-options", "sql-orphans"} <= set(databases.step_ids)
    assert "dtam step sql attach" in databases.text
    assert "sql-attach" not in instances.step_ids
    assert any(one.startswith("start-") for one in instances.step_ids), "the engine is started there"
    assert "post_restore" in scripts(planning("instance")), "run by hand on the source"


@pytest.mark.covers("AM-09")
def test_own_commands_survive_a_new_rendering_with_other_databases() -> None:
    first = with_own_part(scripts(planning())["post_failover"], OWN)
    wanted = planning()
    database = sound_pair.inventory({"platform": "linux", "mode": "database"}, ("orders", "archive", "sales"))
    again = scripts(msgspec.structs.replace(wanted, inventory=database), first)["post_failover"]
    assert OWN.strip() in again.text
    assert "sales.mdf" in again.text
    assert "sales.mdf" not in first.text
    assert again.warning == ""
    assert OWN.strip() in scripts(planning(own=OWN))["post_failover"].text, "those of the settings, on a new server"


@pytest.mark.covers("AM-09")
def test_what_somebody_changed_elsewhere_is_told_and_kept(tmp_path) -> None:
    first = scripts(planning())["post_failover"]
    changed = HostScript(first.where, first.name, first.text.replace("sql attach", "sql attach --wait 9"))
    again = scripts(planning(), changed)["post_failover"]
    assert "changed outside the place" in again.warning
    kept = again.keep_edited(tmp_path)
    assert kept is not None
    assert "--wait 9" in kept.read_text()
