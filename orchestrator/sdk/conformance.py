# ruff: noqa: S101 - these are tests, run by pytest
"""What every plugin is held to. A plugin's author joins with a fixture and gets all tests.

    class TestMyApplication(ApplicationConformance):
        @pytest.fixture
        def application(self): return MyApplication()

        @pytest.fixture
        def planning(self): return a Planning with an inventory of both servers

Only values go in: no host is needed, because planning is pure. pytest is wanted where the tests run, not where dtam runs, so
this file does not import it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from orchestrator.model.findings import Finding, Severity
from orchestrator.model.inventory import Inventory, SideInventory
from orchestrator.model.plan import Plan, PlanKind
from orchestrator.model.servers import Where
from orchestrator.model.steps import Action, CannotUndo, Step
from orchestrator.sdk import (
    verbs,
    verbs_data,
    verbs_epoch,
    verbs_grant,
    verbs_service,
    verbs_sql,
    verbs_turning,
    verbs_windows,
)
from orchestrator.sdk.application import Application, Planning

_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_AGAINST_SILENCE = frozenset({"grant-epoch"})
"""What may name a lost source: it is asked whether it is fenced, and its silence is an answer."""
_SECRET = re.compile(r"BEGIN [A-Z ]*PRIVATE KEY|password\s*[:=]\s*\S", re.IGNORECASE)
_LOADED = (verbs_data, verbs_epoch, verbs_grant, verbs_service, verbs_sql, verbs_turning, verbs_windows)


def plans(application: Application, planning: Planning) -> dict[PlanKind, tuple[Step, ...]]:
    """The steps of every plan of an application."""
    return {
        PlanKind.PROTECT: tuple(application.protect(planning)),
        PlanKind.UNPROTECT: tuple(application.unprotect(planning)),
        PlanKind.FAILOVER: tuple(application.failover(planning)),
        PlanKind.RESTORE: tuple(application.restore(planning)),
        PlanKind.FAILBACK: tuple(application.failback(planning)),
    }


def silent(planning: Planning, *sides: Where) -> Planning:
    """The same with sides that do not answer."""
    gone = {
        where.value: SideInventory(planning.inventory.on(where).name, unreachable="no answer within 3 s")
        for where in sides
    }
    return msgspec.structs.replace(planning, inventory=msgspec.structs.replace(planning.inventory, **gone))


class ApplicationConformance:
    """Promises that the stages rely on."""

    def test_name_and_title_are_words(self, application: Application) -> None:
        """The name is what stands on the command line."""
        assert re.fullmatch(r"[a-z][a-z0-9]*", application.name)
        assert application.title

    def test_every_plan_has_steps_with_stable_ids(self, application: Application, planning: Planning) -> None:
        """Ids are kebab-case and unique within a plan: journals and run files speak by them."""
        for kind, steps in plans(application, planning).items():
            assert steps, kind
            ids = [step.id for step in steps]
            assert len(set(ids)) == len(ids), kind
            assert all(_ID.fullmatch(one) for one in ids), ids

    def test_every_step_knows_how_to_look_do_and_undo(self, application: Application, planning: Planning) -> None:
        """Every verb means something; what cannot be undone says why."""
        for step in _all(application, planning):
            for action in (step.look, step.do, step.undo):
                if isinstance(action, CannotUndo):
                    assert action.why
                else:
                    assert verbs.is_known(action), f"{step.id}: {action.verb}"

    def test_steps_are_values_that_survive_a_journal(self, application: Application, planning: Planning) -> None:
        """A run that was cut off goes on from what was written."""
        for step in _all(application, planning):
            assert msgspec.json.decode(msgspec.json.encode(step), type=Step) == step

    def test_same_values_same_plan(self, application: Application, planning: Planning) -> None:
        """What was reviewed is what is executed: the checksum must not change by itself."""
        for kind in plans(application, planning):
            first, second = (
                Plan(kind, planning.protection.id, plans(application, planning)[kind], planning.epoch) for _ in range(2)
            )
            assert first.checksum == second.checksum

    def test_plans_hold_no_secret(self, application: Application, planning: Planning) -> None:
        """Keys and tokens are named by the file they lie in."""
        for step in _all(application, planning):
            assert not _SECRET.search(msgspec.json.encode(step).decode()), step.id

    def test_sentences_are_for_people(self, application: Application, planning: Planning) -> None:
        """A sentence is an order without a full stop, on one line."""
        for step in _all(application, planning):
            assert step.sentence
            assert "\n" not in step.sentence
            assert not step.sentence.endswith(".")

    def test_checks_have_ids_sets_and_a_passed_sentence(self, application: Application) -> None:
        """Reports, silences and journals name checks by id."""
        checks = application.checks()
        assert checks
        assert len({one.id for one in checks}) == len(checks)
        assert all(_ID.fullmatch(one.id) and one.sets and one.passed for one in checks)

    def test_checks_survive_silent_servers(self, application: Application, planning: Planning) -> None:
        """A server that does not answer is a finding, never a crash; every finding says what, why and what to do."""
        for sides in ((), (Where.SOURCE,), (Where.TARGET,), (Where.SOURCE, Where.TARGET)):
            inventory = silent(planning, *sides).inventory
            for finding in _findings(application, planning, inventory):
                assert not finding.what.startswith("the check itself failed"), finding
                if finding.severity is not Severity.PASSED:
                    assert finding.what
                    assert finding.why, finding
                    assert finding.remedy or finding.fix, finding

    def test_silence_is_refused_with_a_reason(self, application: Application, planning: Planning) -> None:
        """No plan that needs a server is executed without it, and the reason names it."""
        gone = silent(planning, Where.TARGET)
        for kind in (PlanKind.PROTECT, PlanKind.FAILOVER, PlanKind.RESTORE, PlanKind.FAILBACK):
            reasons = tuple(application.refusals(kind.value, gone))
            assert any(planning.protection.pair.target.name in reason for reason in reasons), kind

    def test_failover_reads_nothing_from_the_source(self, application: Application, planning: Planning) -> None:
        """A failover that is not handed over works with the source gone: no step acts there, none refuses for it."""
        gone = silent(msgspec.structs.replace(planning, graceful=False, forced=True), Where.SOURCE)
        assert not tuple(application.refusals(PlanKind.FAILOVER.value, gone))
        steps = tuple(application.failover(gone))
        assert steps
        assert all(step.where is not Where.SOURCE for step in steps)
        for step in (one for one in steps if one.do.verb not in _AGAINST_SILENCE):
            for action in (step.look, step.do):
                assert not (isinstance(action, Action) and action.arguments.get("where") == "source"), step.id

    def test_a_failover_ends_with_its_clients(self, application: Application, planning: Planning) -> None:
        """It is done only when the application answers through the name that clients use."""
        *_, last = application.failover(planning)
        assert last.look.verb == "clients-served"


def _all(application: Application, planning: Planning) -> Iterable[Step]:
    for steps in plans(application, planning).values():
        yield from steps


def _findings(application: Application, planning: Planning, inventory: Inventory) -> Iterable[Finding]:
    for check in application.checks():
        yield from check.run(inventory, planning.protection, inventory.taken_at_s)
