"""Protections as files under version control: written, compared, applied, and the same again afterwards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from click.testing import CliRunner, Result

from orchestrator.cli.dtam import dtam
from orchestrator.cli.guard import prepare_home
from orchestrator.cli.protection_files import text_of
from orchestrator.model.conditions import Stage
from orchestrator.model.located import load
from orchestrator.model.protections import Protection
from orchestrator.model.settings import Settings
from orchestrator.pipeline import Pipeline
from tests.faults.rehearsal import protection, settings

NAME = "fileprint_alpha_beta"


class Desk:
    """A state directory with one protection, and a directory of files beside it."""

    def __init__(self, tmp_path: Path) -> None:
        self.home, self.files = tmp_path / "home", tmp_path / "files"
        with self.opened() as pipeline:
            held = protection(Stage.ENABLED, 1)
            for server in (held.pair.source, held.pair.target):
                pipeline.store.put_server(server)
            pipeline.store.put_protection(held)

    def opened(self) -> Pipeline:
        return Pipeline(prepare_home(self.home), "test")

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(dtam, ["protections", *words], env={"DTAM_HOME": str(self.home)})

    def export(self) -> Path:
        assert self.run("export", str(self.files)).exit_code == 0
        return self.files / f"{NAME}.yaml"

    def edit(self, **tabs: Any) -> None:
        path = self.export()
        values = yaml.safe_load(path.read_text())
        for tab, more in tabs.items():
            values[tab] = values.get(tab, {}) | more if isinstance(more, dict) else more
        path.write_text(yaml.safe_dump(values))

    def kept(self, name: str = NAME) -> Protection:
        with self.opened() as pipeline:
            return pipeline.store.protection(name)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.covers("AM-24")
def test_what_is_exported_is_the_protection_and_fit_for_every_command_that_takes_a_file(desk: Desk) -> None:
    path = desk.export()
    text = path.read_text()
    assert Settings.model_validate(load(text, "p").values) == settings()
    assert desk.run("diff", str(desk.files)).exit_code == 0
    desk.export()
    assert path.read_text() == text, "the same settings give the same text"


@pytest.mark.covers("AM-24")
def test_files_without_anchors_though_values_repeat(desk: Desk) -> None:
    held = desk.kept()
    values = held.settings.model_dump(mode="json", exclude_unset=True)
    shared = ["10.0.0.1"]
    values["monitoring"] |= {"addresses": shared}
    values["failover"]["services"] = [values["failover"]["services"][0] | {"environment": {"A": "1"}}]
    text = text_of(msgspec.structs.replace(held, settings=Settings.model_validate(values)))
    assert "&" not in text
    load(text, "p")


@pytest.mark.covers("AM-24")
def test_a_change_is_shown_and_applied_and_then_there_is_none(desk: Desk) -> None:
    desk.edit(monitoring={"missed": 9})
    found = desk.run("diff", str(desk.files))
    assert found.exit_code == 1
    assert "- monitoring.missed: 5" in found.stdout
    assert "+ monitoring.missed: 9" in found.stdout
    planned = desk.run("apply", str(desk.files), "--plan")
    assert "+ monitoring.missed: 9" in planned.stdout
    assert desk.kept().settings.monitoring.missed == 5, "a plan changes nothing"
    done = desk.run("apply", str(desk.files), "--yes")
    assert "next: dtam enable --protection fileprint_alpha_beta, which brings it to the servers" in done.stdout
    assert (desk.kept().settings.monitoring.missed, desk.kept().stage, desk.kept().epoch) == (9, Stage.ENABLED, 1)
    assert desk.run("diff", str(desk.files)).exit_code == 0


@pytest.mark.covers("AM-24")
def test_a_new_file_is_a_new_protection_and_none_goes_for_want_of_a_file(desk: Desk) -> None:
    desk.edit(name="other.lab.example")
    (desk.files / f"{NAME}.yaml").rename(desk.files / "second.yaml")
    found = json.loads(desk.run("diff", str(desk.files), "--json").stdout)
    assert found["without_file"] == [NAME]
    assert [(one["protection"], one["is_new"]) for one in found["changed"]] == [("second", True)]
    assert desk.run("apply", str(desk.files), "--yes").exit_code == 0
    assert desk.kept("second").stage is Stage.CONFIGURED
    assert desk.kept().settings.name == "files.lab.example"


@pytest.mark.covers("AM-24")
def test_one_wrong_file_keeps_all_from_being_applied(desk: Desk) -> None:
    desk.edit(monitoring={"missed": 9})
    (desk.files / "wrong.yaml").write_text("application: fileprint\nsource: alpha\ntarget: nobody\nname: a.b.example\n")
    refused = desk.run("apply", str(desk.files), "--yes")
    assert "nobody is not known" in str(refused.exception)
    assert desk.kept().settings.monitoring.missed == 5
    (desk.files / "wrong.yaml").rename(desk.files / "wr ong.yaml")
    assert "cannot be called 'wr ong'" in str(desk.run("diff", str(desk.files)).exception)


@pytest.mark.covers("AM-24")
def test_who_applied_what_is_in_the_audit(desk: Desk) -> None:
    desk.edit(monitoring={"missed": 9})
    desk.run("apply", str(desk.files), "--yes")
    with desk.opened() as pipeline:
        assert [one.deed for one in pipeline.store.audit_lines(NAME)] == ["configure"]
